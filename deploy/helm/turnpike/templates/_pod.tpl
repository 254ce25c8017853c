{{/*
What all containers have. Takes the root, `own` (the values of the program) and `env` (variables that the chart
decides): a setting of `config` takes the place of none of them.
*/}}
{{- define "turnpike.container" -}}
envFrom:
  - secretRef:
      name: {{ .own.secretName | default .root.Values.secretName }}
env:
{{- range $name, $value := mergeOverwrite (deepCopy .root.Values.config) .own.config .env }}
  - name: {{ $name }}
    {{- /* A number is a float, which would be written as 3.3554432e+07. */}}
    value: {{ if and (kindIs "float64" $value) (eq (floor $value) $value) }}{{ int64 $value | quote }}{{ else }}{{ $value | toString | quote }}{{ end }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: tmp
    mountPath: /tmp
resources:
  {{- toYaml .own.resources | nindent 2 }}
{{- end }}

{{/* What all pods have. Takes the root. */}}
{{- define "turnpike.pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {}
{{- end }}

{{/* Where pods run. Takes the root, `own`, and `selector`, a YAML text. */}}
{{- define "turnpike.placement" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- .selector | nindent 8 }}
{{- with .own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Restart by /livez, route by /readyz. Takes `port`, a name. A start may take long on a busy machine. */}}
{{- define "turnpike.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: {{ .port }} }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /livez, port: {{ .port }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: {{ .port }} }
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

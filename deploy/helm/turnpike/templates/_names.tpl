{{- define "turnpike.name" -}}
{{- if contains "turnpike" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-turnpike" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "turnpike.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "turnpike.name" .) }}
{{- end }}

{{/* Of all objects. Takes the root. */}}
{{- define "turnpike.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: turnpike
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* What selects pods. Takes the root, `component`, and `pool` for workers. */}}
{{- define "turnpike.selector" -}}
app.kubernetes.io/name: turnpike
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .pool }}
turnpike.dev/pool: {{ . }}
{{- end }}
{{- end }}

{{/* A pool has what `worker` has, unless it says otherwise. Takes the root and `pool`; gives YAML. */}}
{{- define "turnpike.pool" -}}
{{- mustMergeOverwrite (deepCopy .root.Values.worker) (deepCopy .pool) | toYaml }}
{{- end }}

{{/* Takes the root, and `image` of a pool. */}}
{{- define "turnpike.image" -}}
{{- $image := mergeOverwrite (deepCopy .root.Values.image) (.image | default dict) -}}
image: {{ printf "%s:%s" $image.repository ($image.tag | default .root.Chart.AppVersion) }}
imagePullPolicy: {{ $image.pullPolicy }}
{{- end }}

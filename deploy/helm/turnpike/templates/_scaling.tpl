{{/* Up at once, down slowly: a worker that ends hands its turns back, which costs each a claim. */}}
{{- define "turnpike.scaling" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - type: Percent
      value: 100
      periodSeconds: 30
    - type: Pods
      value: 4
      periodSeconds: 30
scaleDown:
  stabilizationWindowSeconds: 300
  policies:
    - type: Percent
      value: 20
      periodSeconds: 60
{{- end }}

{{- if .Data.ntp }}
machine:
  time:
    servers: [{{ .Data.ntp }}]
{{- end }}

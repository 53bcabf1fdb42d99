{{- define "names.labels" -}}
app.kubernetes.io/name: {{ . }}
{{- end }}

{{- define "monitoring.server" -}}
{{ printf "%s-metrics-server" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

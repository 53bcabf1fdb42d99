machine:
  kubelet:
    extraArgs:
{{- range .Node.Data.args }}
      {{ . }}
{{- end }}

machine:
  kubelet:
    extraArgs:
      provider-id: {{ .Node.Data.uuid }}
      rotate-server-certificates: true

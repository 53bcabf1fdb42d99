locals {
  metrics_server_version = "3.12.2"
}

resource "helm_release" "metrics_server" {
  name       = "metrics-server"
  repository = "https://kubernetes-sigs.github.io/metrics-server/"
  chart      = "metrics-server"
  version    = local.metrics_server_version
  namespace  = "kube-system"

  values = [
    file("${path.module}/values/metrics-server.yaml"),
    <<-EOT
      resources:
        requests:
          memory: 150Mi
        limits:
          memory: ${var.memory_limit}
      podLabels:
        team: platform
    EOT
    ,
    yamlencode({
      replicas = 2
      podAnnotations = {
        "example.com/cluster" = data.aws_eks_cluster.this.name
      }
    }),
  ]

  set {
    name  = "args[0]"
    value = "--kubelet-insecure-tls"
  }

  dynamic "set" {
    for_each = var.host_network ? [1] : []
    content {
      name  = "hostNetwork.enabled"
      value = true
    }
  }
}

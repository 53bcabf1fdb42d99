variable "chart_version" {
  default = "3.12.1"
}

variable "replicas" {
  type = number
}

variable "enabled" {
  default = true
}

resource "helm_release" "metrics_server" {
  count      = var.enabled ? 1 : 0
  name       = "metrics-server"
  repository = "https://kubernetes-sigs.github.io/metrics-server/"
  chart      = "metrics-server"
  version    = var.chart_version
  namespace  = "kube-system"

  values = [templatefile("${path.module}/values.yaml.tftpl", { replicas = var.replicas })]

  set = [
    {
      name  = "resources.limits.memory"
      value = "256Mi"
    },
  ]
}

data "talos_machine_configuration" "control_plane" {
  cluster_name = "edge"
  machine_type = "controlplane"
  config_patches = [
    yamlencode({
      machine = {
        kubelet = {
          extraArgs = {
            rotate-server-certificates = true
          }
        }
      }
    }),
    <<-EOT
      cluster:
        extraManifests:
          - https://raw.githubusercontent.com/alex1989hu/kubelet-serving-cert-approver/v0.9.0/deploy/standalone-install.yaml
    EOT
  ]
}

data "talos_machine_configuration" "worker" {
  cluster_name   = "edge"
  machine_type   = "worker"
  config_patches = [templatefile("${path.module}/worker.yaml.tftpl", {})]
}

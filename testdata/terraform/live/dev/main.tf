module "metrics_server" {
  source   = "../../modules/metrics-server"
  replicas = 1
}

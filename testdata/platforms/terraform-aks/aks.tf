resource "azurerm_kubernetes_cluster" "this" {
  name = "prod"

  default_node_pool {
    name       = "system"
    node_count = 3
    max_pods   = 50
  }
}

resource "azurerm_kubernetes_cluster_node_pool" "user" {
  kubernetes_cluster_id = azurerm_kubernetes_cluster.this.id
  min_count             = 1
  max_count             = 20
}

resource "google_container_cluster" "this" {
  name     = "prod"
  location = "europe-west3"
}

resource "google_container_node_pool" "general" {
  cluster  = google_container_cluster.this.id
  location = "europe-west3-a"

  autoscaling {
    min_node_count = 1
    max_node_count = 6
  }
}

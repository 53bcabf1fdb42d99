variable "max_nodes" {
  type    = number
  default = 10
}

resource "aws_eks_cluster" "this" {
  name     = "prod"
  role_arn = aws_iam_role.cluster.arn
}

resource "aws_eks_node_group" "general" {
  cluster_name = aws_eks_cluster.this.name

  scaling_config {
    min_size     = 2
    desired_size = 3
    max_size     = var.max_nodes
  }
}

resource "aws_eks_addon" "metrics_server" {
  cluster_name = aws_eks_cluster.this.name
  addon_name   = "metrics-server"
}

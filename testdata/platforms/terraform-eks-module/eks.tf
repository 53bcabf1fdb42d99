module "eks" {
  source  = "terraform-aws-modules/eks/aws"
  version = "~> 20.0"

  cluster_name = "prod"

  eks_managed_node_groups = {
    general = {
      min_size     = 3
      desired_size = 3
      max_size     = 9
    }
    spot = {
      min_size = 0
      max_size = var.spot_nodes
    }
  }
}

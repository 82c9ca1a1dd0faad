# A cluster whose network policies are enforced, and nodes without rights of their own: pods get theirs by their service account.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

data "aws_partition" "current" {}

locals {
  managed_policy = "arn:${data.aws_partition.current.partition}:iam::aws:policy"
  addons = {
    coredns                = null
    eks-pod-identity-agent = null
    kube-proxy             = null
    metrics-server         = null
    # Without this, the policies of deploy/kubernetes/base/network.yaml are accepted and ignored.
    vpc-cni = jsonencode({ enableNetworkPolicy = "true" })
  }
  # Nodes have to be there before these become healthy.
  on_nodes = toset(["coredns", "metrics-server"])
}

data "aws_iam_policy_document" "trust" {
  for_each = { control = "eks.amazonaws.com", node = "ec2.amazonaws.com" }
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = [each.value]
    }
  }
}

resource "aws_iam_role" "control" {
  name               = "${var.name}-control"
  assume_role_policy = data.aws_iam_policy_document.trust["control"].json
}

resource "aws_iam_role_policy_attachment" "control" {
  role       = aws_iam_role.control.name
  policy_arn = "${local.managed_policy}/AmazonEKSClusterPolicy"
}

resource "aws_iam_role" "node" {
  name               = "${var.name}-node"
  assume_role_policy = data.aws_iam_policy_document.trust["node"].json
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each   = toset(["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy"])
  role       = aws_iam_role.node.name
  policy_arn = "${local.managed_policy}/${each.key}"
}

resource "aws_cloudwatch_log_group" "control" {
  name              = "/aws/eks/${var.name}/cluster"
  kms_key_id        = var.key_arn
  retention_in_days = 365
}

resource "aws_eks_cluster" "this" {
  #checkov:skip=CKV_AWS_38:public_access_cidrs refuses large ranges and is empty unless it is set
  #checkov:skip=CKV_AWS_39:the public address is off unless public_access_cidrs is set
  name                      = var.name
  version                   = var.kubernetes_version
  role_arn                  = aws_iam_role.control.arn
  enabled_cluster_log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  access_config {
    authentication_mode = "API"
  }

  encryption_config {
    resources = ["secrets"]
    provider {
      key_arn = var.key_arn
    }
  }

  vpc_config {
    subnet_ids              = var.subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_access_cidrs) > 0
    public_access_cidrs     = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  }

  depends_on = [aws_cloudwatch_log_group.control, aws_iam_role_policy_attachment.control]
}

resource "aws_eks_access_entry" "admin" {
  for_each      = var.admin_arns
  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.key
}

resource "aws_eks_access_policy_association" "admin" {
  for_each      = aws_eks_access_entry.admin
  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value.principal_arn
  policy_arn    = "arn:${data.aws_partition.current.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
  access_scope {
    type = "cluster"
  }
}

# One hop: pods do not reach the node's credentials.
resource "aws_launch_template" "node" {
  name_prefix = "${var.name}-"

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      encrypted   = true
      volume_size = 50
      volume_type = "gp3"
    }
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_put_response_hop_limit = 1
    http_tokens                 = "required"
  }
}

resource "aws_eks_node_group" "this" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = "runners"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = var.subnet_ids
  instance_types  = var.instance_types

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }

  scaling_config {
    desired_size = var.nodes.min
    max_size     = var.nodes.max
    min_size     = var.nodes.min
  }

  update_config {
    max_unavailable = 1
  }

  # An autoscaler of nodes changes it, and is right.
  lifecycle {
    ignore_changes = [scaling_config[0].desired_size]
  }

  depends_on = [aws_eks_addon.before_nodes, aws_iam_role_policy_attachment.node]
}

resource "aws_eks_addon" "before_nodes" {
  for_each             = { for name, values in local.addons : name => values if !contains(local.on_nodes, name) }
  cluster_name         = aws_eks_cluster.this.name
  addon_name           = each.key
  configuration_values = each.value
}

resource "aws_eks_addon" "on_nodes" {
  for_each     = local.on_nodes
  cluster_name = aws_eks_cluster.this.name
  addon_name   = each.key
  depends_on   = [aws_eks_node_group.this]
}

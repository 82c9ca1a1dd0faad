output "name" {
  description = "The cluster's name, for `aws eks update-kubeconfig`."
  value       = aws_eks_cluster.this.name
}

output "arn" {
  description = "The cluster, for roles that only its pods may take on."
  value       = aws_eks_cluster.this.arn
}

output "security_group_id" {
  description = "The security group of all nodes and pods."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

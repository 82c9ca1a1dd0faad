output "arns" {
  description = "All of them, for who may read them."
  value       = [for secret in aws_secretsmanager_secret.this : secret.arn]
}

output "arns" {
  description = "The role of runners and that of External Secrets."
  value       = { for name, role in aws_iam_role.pod : name => role.arn }
}

output "arns" {
  description = "Each purpose's key."
  value       = { for purpose, key in aws_kms_key.this : purpose => key.arn }
}

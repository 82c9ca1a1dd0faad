output "host" {
  description = "The primary's address, for HEADGATE_DSN of migration, planner and runners; it stays when the other zone takes over."
  value       = aws_db_instance.primary.address
}

output "replica_hosts" {
  description = "Addresses for analysts and dashboards."
  value       = aws_db_instance.replica[*].address
}

output "admin_secret_arn" {
  description = "Where the service keeps the password of headgate_admin, for the migration's HEADGATE_DSN."
  value       = aws_db_instance.primary.master_user_secret[0].secret_arn
}

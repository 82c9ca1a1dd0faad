output "cluster_name" {
  description = "For `aws eks update-kubeconfig --name`."
  value       = module.cluster.name
}

output "database_host" {
  description = "For the strings in the secrets headgate/migrate, headgate/planner, headgate/runner, headgate/reader and headgate/keda."
  value       = module.database.host
}

output "replica_hosts" {
  description = "For BI tools and dashboards (docs/bi.md)."
  value       = module.database.replica_hosts
}

output "admin_secret_arn" {
  description = "The password of headgate_admin, for headgate/migrate."
  value       = module.database.admin_secret_arn
}

output "store_url" {
  description = "For put_store, or set_store where a store is moved."
  value       = module.store.url
}

output "store_region" {
  description = "For put_store, too."
  value       = var.region
}

output "exit_addresses" {
  description = "For providers' allow-lists."
  value       = module.network.exit_addresses
}

output "role_arns" {
  description = "What runners and External Secrets act as; pods need not name it."
  value       = module.roles.arns
}

variable "cluster_name" {
  description = "The cluster whose pods get the roles."
  type        = string
}

variable "cluster_arn" {
  description = "The same cluster, as its pods' requests name it."
  type        = string
}

variable "runner" {
  description = "The runners' service account."
  type        = object({ namespace = string, name = string })
  default     = { namespace = "headgate", name = "headgate-runner" }
}

variable "external_secrets" {
  description = "The service account of the operator External Secrets."
  type        = object({ namespace = string, name = string })
  default     = { namespace = "external-secrets", name = "external-secrets" }
}

variable "bucket_arn" {
  description = "The bucket that runners read and write."
  type        = string
}

variable "bucket_key_arn" {
  description = "The key of that bucket."
  type        = string
}

variable "secret_arns" {
  description = "The secrets that External Secrets reads."
  type        = list(string)
}

variable "secrets_key_arn" {
  description = "The key of these secrets."
  type        = string
}

variable "prefix" {
  description = "What the names begin with."
  type        = string
  default     = "headgate"
}

variable "names" {
  description = "The secrets that deploy/kubernetes reads."
  type        = set(string)
  default     = ["airflow", "keda", "migrate", "planner", "postgres", "providers", "reader", "runner"]
}

variable "key_arn" {
  description = "The key that encrypts them."
  type        = string
}

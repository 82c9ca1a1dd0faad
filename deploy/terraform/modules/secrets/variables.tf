variable "prefix" {
  description = "What the names begin with."
  type        = string
  default     = "headgate"
}

variable "names" {
  description = "The secrets that deploy/kubernetes reads."
  type        = set(string)
  default     = ["keda", "migrate", "planner", "providers", "reader", "runner"]
}

variable "key_arn" {
  description = "The key that encrypts them."
  type        = string
}

variable "name" {
  description = "What the keys' aliases begin with."
  type        = string
}

variable "purposes" {
  description = "What there is a key for."
  type        = set(string)
}

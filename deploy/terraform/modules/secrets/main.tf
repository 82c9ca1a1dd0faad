# The secrets' names; values are put in by hand, so that they are in no state of Terraform.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:docs/operations.md rotates passwords; a provider's token is changed by its provider
  for_each    = var.names
  name        = "${var.prefix}/${each.key}"
  description = "External Secrets reads it: deploy/kubernetes, deploy/airflow, deploy/keda"
  kms_key_id  = var.key_arn
}

# What pods may do in the account: runners reach the files of their bucket, External Secrets reads our secrets, and nobody anything else.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

locals {
  pods = {
    runner  = { service_account = var.runner, policy = data.aws_iam_policy_document.runner.json }
    secrets = { service_account = var.external_secrets, policy = data.aws_iam_policy_document.secrets.json }
  }
}

data "aws_region" "current" {}

data "aws_iam_policy_document" "runner" {
  statement {
    sid       = "Files"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${var.bucket_arn}/*"]
  }
  # Without it a file that is missing looks like one that is forbidden.
  statement {
    sid       = "Names"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arn]
  }
  statement {
    sid       = "Encryption"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.bucket_key_arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${data.aws_region.current.region}.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "secrets" {
  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = var.secret_arns
  }
  statement {
    sid       = "Encryption"
    actions   = ["kms:Decrypt"]
    resources = [var.secrets_key_arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${data.aws_region.current.region}.amazonaws.com"]
    }
  }
}

# Only pods of this service account, in this cluster.
data "aws_iam_policy_document" "trust" {
  for_each = local.pods
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/eks-cluster-arn"
      values   = [var.cluster_arn]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-namespace"
      values   = [each.value.service_account.namespace]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-service-account"
      values   = [each.value.service_account.name]
    }
  }
}

resource "aws_iam_role" "pod" {
  for_each           = local.pods
  name               = "${var.cluster_name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

resource "aws_iam_role_policy" "pod" {
  for_each = local.pods
  name     = "own"
  role     = aws_iam_role.pod[each.key].id
  policy   = each.value.policy
}

resource "aws_eks_pod_identity_association" "pod" {
  for_each        = local.pods
  cluster_name    = var.cluster_name
  namespace       = each.value.service_account.namespace
  service_account = each.value.service_account.name
  role_arn        = aws_iam_role.pod[each.key].arn
}

# All parts put together: a network, a cluster, a database, a bucket, and who may do what. Copy it, and keep your state in a backend.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { app = var.name }
  }
}

module "keys" {
  source   = "../modules/keys"
  name     = var.name
  purposes = ["cluster", "database", "secrets", "store"]
}

module "network" {
  source      = "../modules/network"
  name        = var.name
  cidr        = var.cidr
  zones       = var.zones
  one_exit    = var.one_exit
  log_key_arn = module.keys.arns["cluster"]
}

module "cluster" {
  source              = "../modules/cluster"
  name                = var.name
  kubernetes_version  = var.kubernetes_version
  subnet_ids          = module.network.private_subnet_ids
  key_arn             = module.keys.arns["cluster"]
  admin_arns          = var.admin_arns
  public_access_cidrs = var.public_access_cidrs
  nodes               = var.nodes
}

module "database" {
  source                   = "../modules/database"
  name                     = var.name
  postgres_version         = var.postgres_version
  instance_class           = var.database_class
  replicas                 = var.replicas
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.database_subnet_ids
  client_security_group_id = module.cluster.security_group_id
  key_arn                  = module.keys.arns["database"]
}

module "store" {
  source     = "../modules/store"
  bucket     = var.bucket
  log_bucket = var.log_bucket
  key_arn    = module.keys.arns["store"]
}

module "secrets" {
  source  = "../modules/secrets"
  key_arn = module.keys.arns["secrets"]
}

module "roles" {
  source          = "../modules/roles"
  cluster_name    = module.cluster.name
  cluster_arn     = module.cluster.arn
  bucket_arn      = module.store.arn
  bucket_key_arn  = module.keys.arns["store"]
  secret_arns     = module.secrets.arns
  secrets_key_arn = module.keys.arns["secrets"]
}

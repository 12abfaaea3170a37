"""Who may do what: policies of identities and of resources, and who can take on a role."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assaymark.checks.infrastructure.iac.policies_of_access import Statement, document_of, statements
from assaymark.checks.infrastructure.iac.resources import Found, Resource
from assaymark.checks.infrastructure.iac.values import Value
from assaymark.checks.infrastructure.iac.world import Hit, Rule, World, missing, texts

_POLICIES = ("aws_iam_policy", "aws_iam_role_policy", "aws_iam_user_policy", "aws_iam_group_policy")
_ESCALATION = (
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreatePolicyVersion",
    "iam:PassRole",
    "iam:PutGroupPolicy",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
)
"""Actions with which a holder can give itself more than it has, if they are not limited to some resources."""
_HARMLESS = ("cloudwatch", "logs", "xray", "ec2messages", "ssmmessages", "sts")
"""Services whose whole use on every resource gives nobody power over the account."""
_RESOURCE_POLICIES = {
    "aws_s3_bucket": ("policy", "s3-policy-public"),
    "aws_s3_bucket_policy": ("policy", "s3-policy-public"),
    "aws_sns_topic": ("policy", "sns-policy-public"),
    "aws_sns_topic_policy": ("policy", "sns-policy-public"),
    "aws_sqs_queue": ("policy", "sqs-policy-public"),
    "aws_sqs_queue_policy": ("policy", "sqs-policy-public"),
    "aws_kms_key": ("policy", "kms-policy-public"),
    "aws_ecr_repository_policy": ("policy", "ecr-policy-public"),
    "aws_secretsmanager_secret": ("policy", "secret-policy-public"),
    "aws_secretsmanager_secret_policy": ("policy", "secret-policy-public"),
    "aws_glacier_vault": ("access_policy", "other-policy-public"),
    "aws_efs_file_system_policy": ("policy", "other-policy-public"),
    "aws_elasticsearch_domain": ("access_policies", "other-policy-public"),
    "aws_opensearch_domain": ("access_policies", "other-policy-public"),
    "aws_elasticsearch_domain_policy": ("access_policies", "other-policy-public"),
    "aws_opensearch_domain_policy": ("access_policies", "other-policy-public"),
    "aws_backup_vault_policy": ("policy", "other-policy-public"),
    "aws_ses_identity_policy": ("policy", "other-policy-public"),
}
"""Policies of resources: the attribute, and the rule that an open one breaks."""
_LIMITS = (
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:sourceowner",
    "aws:sourceorgid",
    "kms:calleraccount",
    "s3:dataaccesspointaccount",
)
"""Condition keys that say who may; others (``aws:SecureTransport``) only say how."""

ADVICE = {
    "iam-everything": "Name the actions and resources that are needed; begin with nothing and add what fails.",
    "iam-service-wildcard": "Name the actions, and the resources by their ARN.",
    "iam-escalation": "Limit the action to the roles or policies that are needed, by ARN or `iam:PassedToService`.",
    "iam-trust-everybody": "Name the accounts, roles or services that may, and ask for an external id.",
    "iam-trust-federated-open": "Add a condition on the token's `sub` with your repository and branch.",
    "s3-policy-public": "Name the principals; for a web site put a distribution before the bucket.",
    "sns-policy-public": "Name the principals, or add a condition on the account or source.",
    "sqs-policy-public": "Name the principals, or add a condition on the source.",
    "sqs-policy-wildcard": "Name the actions, e.g. `sqs:SendMessage`.",
    "kms-policy-public": "Name the accounts and roles that may use the key.",
    "ecr-policy-public": "Name the accounts that may pull.",
    "secret-policy-public": "Name the roles that may read the secret.",
    "other-policy-public": "Name the principals, or add a condition.",
    "lambda-permission-public": "Name the account or service as `principal`, and its `source_arn`.",
    "lambda-permission-any-source": "Add `source_arn`, or `source_account`, so that only your own resources can.",
    "google-resource-public": "Take `allUsers` and `allAuthenticatedUsers` out, and name groups or service accounts.",
    "google-basic-role": "Give the roles of the single services that it uses.",
    "google-impersonation": "Give the role on the one service account that is needed.",
    "google-default-account-role": "Make service accounts of their own for what runs.",
    "user-has-policy": "Give rights to groups or roles.",
}


def _at(rule: str, resource: Resource, attribute: str, detail: str = "") -> Hit:
    place = resource.find(attribute)[0]
    return Hit(rule, resource, attribute, place, detail)


def _granting(world: World) -> Iterator[tuple[Resource, str, Found, Value]]:
    """Every policy that gives rights to identities: the resource, the attribute, its place and the document."""
    for resource in world.resources(*_POLICIES):
        # A document that is a data source of its own is looked at there.
        if not any(ref.rpartition("data.")[1] for ref in resource.view.refs("policy")):
            yield resource, "policy", resource.find("policy")[0], resource.view.get("policy")
    for resource in world.resources("aws_iam_role"):
        for inner in resource.view.blocks("inline_policy"):
            attribute = inner.attribute("policy")
            if attribute is not None:
                yield resource, "inline_policy.policy", Found(inner.get("policy"), inner, attribute), inner.get("policy")
    for resource in world.data("aws_iam_policy_document"):
        yield resource, "statement", missing(resource.view), document_of(world.module, resource.name)


def identity_policies(world: World) -> Iterator[Hit]:
    for resource, attribute, place, document in _granting(world):
        for statement in statements(document):
            rule, detail = _too_wide(statement)
            if rule:
                yield Hit(rule, resource, attribute, place, detail)


def _too_wide(statement: Statement) -> tuple[str, str]:
    """The worst that a statement of an identity does; policies of resources have principals and are judged elsewhere."""
    if not statement.allows or statement.principals or statement.any_not_principal or "*" not in statement.resources:
        return "", ""
    if "*" in statement.actions or "*:*" in statement.actions:
        return ("iam-everything", 'action "*" on resource "*"') if not statement.conditional else ("", "")
    whole = [each for each in statement.actions if each.endswith(":*") and each.partition(":")[0] not in _HARMLESS]
    if whole:
        return "iam-service-wildcard", f'action "{whole[0]}" on resource "*"'
    if statement.conditional:
        return "", ""
    gained = next((each for each in _ESCALATION if statement.may(each)), "")
    return ("iam-escalation", f'"{gained}" on resource "*"') if gained else ("", "")


def trust(world: World) -> Iterator[Hit]:
    for resource in world.resources("aws_iam_role"):
        for statement in statements(resource.view.get("assume_role_policy")):
            if not statement.allows:
                continue
            if "*" in statement.principals and not statement.conditional:
                yield _at("iam-trust-everybody", resource, "assume_role_policy", 'principal "*"')
            open_forge = any("token.actions.githubusercontent.com" in each for each in statement.federated)
            if open_forge and not any(key.endswith((":sub", ":repository", "?")) for key in statement.conditions):
                yield _at("iam-trust-federated-open", resource, "assume_role_policy", "no condition on `sub`")


def resource_policies(world: World) -> Iterator[Hit]:
    for kind, (attribute, rule) in _RESOURCE_POLICIES.items():
        for resource in world.resources(kind):
            found = statements(resource.view.get(attribute))
            opened = [each for each in found if _is_open(each)]
            if opened:
                yield _at(rule, resource, attribute, _what(opened[0]))
            if kind.startswith("aws_sqs") and any(each.allows and {"*", "sqs:*", "SQS:*"} & set(each.actions) for each in found):
                yield _at("sqs-policy-wildcard", resource, attribute)


def _is_open(statement: Statement) -> bool:
    limited = any(key in _LIMITS or key == "?" for key in statement.conditions)
    return statement.allows and ("*" in statement.principals or statement.any_not_principal) and not limited


def _what(statement: Statement) -> str:
    return f"everybody may {', '.join(statement.actions[:3])}" if statement.actions else "everybody may"


def callers(world: World) -> Iterator[Hit]:
    for resource in world.resources("aws_lambda_permission"):
        principal = resource.view.get("principal")
        bound = any(resource.view.attribute(each) for each in ("source_arn", "source_account", "principal_org_id"))
        if principal == "*" and not bound:
            yield _at("lambda-permission-public", resource, "principal")
        elif type(principal) is str and principal.endswith(".amazonaws.com") and not bound:
            yield Hit("lambda-permission-any-source", resource, "source_arn", missing(resource.view))


def single_users(world: World) -> Iterator[Hit]:
    for resource in world.resources("aws_iam_user_policy", "aws_iam_user_policy_attachment"):
        yield Hit("user-has-policy", resource, "user", missing(resource.view))
    for resource in world.resources("aws_iam_policy_attachment"):
        if texts(resource.view.get("users")) or resource.view.refs("users"):
            yield _at("user-has-policy", resource, "users")


# --- Google Cloud -----------------------------------------------------------------------------------------------------

_EVERYBODY = ("allUsers", "allAuthenticatedUsers")
_BASIC = ("roles/owner", "roles/editor")
_IMPERSONATION = ("roles/iam.serviceAccountUser", "roles/iam.serviceAccountTokenCreator")
_DEFAULT_ACCOUNTS = ("-compute@developer.gserviceaccount.com", "@appspot.gserviceaccount.com")
_WIDE = ("google_project_iam", "google_folder_iam", "google_organization_iam")


def google_grants(world: World) -> Iterator[Hit]:
    kinds = [
        kind for kind in world.module.declared.by_type if kind.startswith("google_") and kind.endswith(("_iam_member", "_iam_binding"))
    ]
    for resource in world.resources(*kinds):
        attribute = "member" if resource.kind.endswith("_iam_member") else "members"
        members = texts(resource.view.get(attribute))
        role = resource.view.get("role")
        if set(_EVERYBODY) & set(members):
            yield _at("google-resource-public", resource, attribute)
        if not resource.kind.startswith(_WIDE) or type(role) is not str:
            continue
        default = any("_default_service_account." in ref for ref in resource.view.refs(attribute))
        if default or any(member.endswith(_DEFAULT_ACCOUNTS) for member in members):
            yield _at("google-default-account-role", resource, attribute)
        if role in _BASIC or _administers(role, members):
            yield _at("google-basic-role", resource, "role", role)
        elif role in _IMPERSONATION:
            yield _at("google-impersonation", resource, "role", role)


def google_policies(world: World) -> Iterator[Hit]:
    for resource in world.data("google_iam_policy"):
        for place in resource.find("binding.members"):
            if set(_EVERYBODY) & set(texts(place.value)):
                yield Hit("google-resource-public", resource, "binding.members", place)


def _administers(role: str, members: Sequence[str]) -> bool:
    return role.lower().endswith("admin") and any(member.startswith("serviceAccount:") for member in members)


RULES: tuple[Rule, ...] = (identity_policies, trust, resource_policies, callers, single_users, google_grants, google_policies)

#!/usr/bin/python
# Made by subidctl. Put it as library/subidctl.py beside the playbook or into a role.

DOCUMENTATION = r"""
module: subidctl
short_description: Gives users their subordinate IDs
description:
  - Gives users ranges in /etc/subuid and /etc/subgid, both files as one change, without collisions.
  - Skips hosts whose subordinate IDs come from a directory.
options:
  users:
    description: Names, or uids as +1001. Without users, groups and all those of the policy's [users].
    type: list
    elements: str
  groups:
    description: Groups whose members get ranges.
    type: list
    elements: str
  all:
    description: Every account from UID_MIN to UID_MAX with a login shell.
    type: bool
    default: false
  policy:
    description: The policy's path on the host, in place of /etc/subidctl/policy.toml.
    type: path
  executable:
    description: Where subidctl is on the host.
    type: path
    default: /usr/bin/subidctl
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Developers can run rootless containers
  subidctl:
    groups: [developers]
"""

RETURN = r"""
assignments:
  description: What each user gets or keeps, as in subidctl.plan.v1.
  type: list
  returned: always
transaction:
  description: The change's name in subidctl history.
  type: str
  returned: when something changed
"""

import json

from ansible.module_utils.basic import AnsibleModule

DIRECTORY = 8


def call(module, command):
    """Runs subidctl and gives its exit code and document."""
    options = ["--json"]
    if module.params["policy"]:
        options += ["--policy", module.params["policy"]]
    for group in module.params["groups"] or []:
        options += ["--group=" + group]
    if module.params["all"]:
        options += ["--all"]
    users = ["--"] + module.params["users"] if module.params["users"] else []
    code, out, err = module.run_command([module.params["executable"]] + command + options + users)
    try:
        return code, json.loads(out)
    except ValueError:
        module.fail_json(msg="subidctl gave no document", rc=code, stdout=out, stderr=err)


def fail(module, code, document):
    """Ends with what went wrong, why, and what to do."""
    errors = [document] if "message" in document else document.get("refusals", [])
    lines = [error[key] for error in errors for key in ("message", "why", "fix") if error.get(key)]
    module.fail_json(msg="; ".join(lines) or "subidctl failed", rc=code)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            users=dict(type="list", elements="str"),
            groups=dict(type="list", elements="str"),
            all=dict(type="bool", default=False),
            policy=dict(type="path"),
            executable=dict(type="path", default="/usr/bin/subidctl"),
        ),
        supports_check_mode=True,
    )
    code, plan = call(module, ["plan"])
    if code == DIRECTORY:
        module.exit_json(changed=False, skipped=True, msg="{message}: {why}".format(**plan))
    if code != 0:
        fail(module, code, plan)
    result = dict(changed=plan["changed"], assignments=plan["assignments"])
    diff = [dict(prepared=entry["diff"]) for entry in plan["files"] if entry["diff"]]
    if diff:
        result["diff"] = diff
    if plan["changed"] and not module.check_mode:
        code, done = call(module, ["apply", "--yes"])
        if code != 0:
            fail(module, code, done)
        # The plan that was committed, where the files changed in between.
        result.update(changed=done["committed"], transaction=done["transaction"], assignments=done["assignments"])
        result["diff"] = [dict(prepared=entry["diff"]) for entry in done["files"] if entry["diff"]]
    module.exit_json(**result)


if __name__ == "__main__":
    main()

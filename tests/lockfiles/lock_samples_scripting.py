"""Small lock files of JavaScript and Python, written for these tests, with what they name.

The same project each time, as far as the format can say it: `alpha` is asked for and needs `beta`; `gamma` is for development.
"""

from __future__ import annotations

from tests.lockfiles.lock_form import SRI, SUM, sample

SCRIPTING = (
    sample(
        "package-lock",
        "package-lock.json",
        f"""
        {{
          "name": "project",
          "lockfileVersion": 3,
          "packages": {{
            "": {{"name": "project", "dependencies": {{"alpha": "^1"}}, "devDependencies": {{"gamma": "^3"}}}},
            "node_modules/alpha": {{
              "version": "1.0.0", "integrity": "{SRI}",
              "dependencies": {{"beta": "^2", "@scope/delta": "*"}}
            }},
            "node_modules/alpha/node_modules/beta": {{"version": "2.0.0"}},
            "node_modules/beta": {{"version": "2.5.0", "dev": true}},
            "node_modules/gamma": {{"version": "3.0.0", "dev": true, "dependencies": {{"beta": "*"}}}},
            "node_modules/@scope/delta": {{"version": "4.0.0"}}
          }}
        }}
        """,
        "@scope/delta 4.0.0, >alpha 1.0.0, beta 2.0.0, ~beta 2.5.0, >~gamma 3.0.0",
        ((1, 0), (1, 2), (4, 3)),
    ),
    sample(
        "package-lock",
        "npm-shrinkwrap.json",
        """
        {
          "lockfileVersion": 1,
          "dependencies": {
            "alpha": {"version": "1.0.0", "requires": {"beta": "^2"}, "dependencies": {"beta": {"version": "2.0.0"}}},
            "beta": {"version": "2.5.0", "dev": true},
            "gamma": {"version": "git+https://example.org/g.git#0123456789abcdef0123456789abcdef01234567", "dev": true}
          }
        }
        """,
        "alpha 1.0.0, beta 2.0.0, ~beta 2.5.0, ~gamma 0123456789abcdef0123456789abcdef01234567",
        ((0, 1),),
    ),
    sample(
        "yarn-lock",
        "yarn.lock",
        f"""
        # yarn lockfile v1

        "@scope/alpha@^1.0.0", "@scope/alpha@~1":
          version "1.0.0"
          resolved "https://registry.example.org/@scope/alpha/-/alpha-1.0.0.tgz#f00"
          integrity {SRI}
          dependencies:
            beta "^2"

        beta@^2:
          version "2.0.0"
        """,
        "@scope/alpha 1.0.0, beta 2.0.0",
        ((0, 1),),
    ),
    sample(
        "yarn-lock",
        "web/yarn.lock",
        """
        __metadata:
          version: 8
          cacheKey: 10

        "alpha@npm:^1.0.0":
          version: 1.0.0
          resolution: "alpha@npm:1.0.0"
          dependencies:
            beta: "npm:^2"
          languageName: node
          linkType: hard

        "beta@npm:^2":
          version: 2.0.0
          resolution: "beta@npm:2.0.0"
          linkType: hard

        "project@workspace:.":
          version: 0.0.0-use.local
          resolution: "project@workspace:."
          dependencies:
            alpha: ^1.0.0
          linkType: soft
        """,
        ">alpha 1.0.0, beta 2.0.0",
        ((0, 1),),
    ),
    sample(
        "pnpm-lock",
        "pnpm-lock.yaml",
        f"""
        lockfileVersion: '9.0'

        importers:

          .:
            dependencies:
              '@scope/alpha':
                specifier: ^1
                version: 1.0.0(beta@2.0.0)
            devDependencies:
              gamma:
                specifier: ^3
                version: 3.0.0

        packages:

          '@scope/alpha@1.0.0':
            resolution: {{integrity: {SRI}}}
            engines: {{node: '>=8'}}

          beta@2.0.0:
            resolution: {{integrity: {SRI}}}
            deprecated: |-
              No longer
              kept: see elsewhere

          gamma@3.0.0:
            resolution: {{integrity: {SRI}}}

        snapshots:

          '@scope/alpha@1.0.0(beta@2.0.0)':
            dependencies:
              beta: 2.0.0

          beta@2.0.0: {{}}

          gamma@3.0.0: {{}}
        """,
        ">@scope/alpha 1.0.0, beta 2.0.0, >~gamma 3.0.0",
        ((0, 1),),
    ),
    sample(
        "pnpm-lock",
        "old/pnpm-lock.yaml",
        """
        lockfileVersion: 5.4
        specifiers: {alpha: ^1, gamma: ^3}
        dependencies:
          alpha: 1.0.0_beta@2.0.0
        devDependencies:
          gamma: 3.0.0
        packages:
          /alpha/1.0.0_beta@2.0.0:
            dependencies: {beta: 2.0.0}
            dev: false
          /beta/2.0.0:
            dev: false
          /gamma/3.0.0:
            dev: true
        """,
        ">alpha 1.0.0, beta 2.0.0, >~gamma 3.0.0",
        ((0, 1),),
    ),
    sample(
        "bun-lock",
        "bun.lock",
        f"""
        {{
          "lockfileVersion": 1,
          "workspaces": {{
            "": {{"name": "project", "dependencies": {{"alpha": "^1"}}, "devDependencies": {{"gamma": "^3"}},}},
          }},
          // what is installed
          "packages": {{
            "alpha": ["alpha@1.0.0", "", {{ "dependencies": {{ "beta": "^2" }} }}, "{SRI}"],
            "beta": ["beta@2.5.0", "", {{}}, "{SRI}"],
            "gamma": ["gamma@3.0.0", "", {{ "dependencies": {{ "beta": "*" }} }}, "{SRI}"],
            "alpha/beta": ["beta@2.0.0", "", {{}}, "{SRI}"],
          }}
        }}
        """,
        ">alpha 1.0.0, beta 2.0.0, ~beta 2.5.0, >~gamma 3.0.0",
        ((0, 1), (3, 2)),
    ),
    sample(
        "poetry-lock",
        "poetry.lock",
        f"""
        [[package]]
        name = "Alpha"
        version = "1.0.0"
        groups = ["main"]
        files = [{{file = "alpha-1.0.0.tar.gz", hash = "sha256:{SUM}"}}]

        [package.dependencies]
        be_ta = ">=2"

        [[package]]
        name = "be-ta"
        version = "2.0.0"
        groups = ["main", "dev"]
        files = []

        [[package]]
        name = "gamma"
        version = "3.0.0"
        groups = ["dev"]
        files = []

        [metadata]
        lock-version = "2.1"
        """,
        "alpha 1.0.0, be-ta 2.0.0, ~gamma 3.0.0",
        ((0, 1),),
    ),
    sample(
        "uv-lock",
        "uv.lock",
        f"""
        version = 1
        requires-python = ">=3.11"

        [[package]]
        name = "project"
        version = "0.1.0"
        source = {{ virtual = "." }}
        dependencies = [{{ name = "alpha" }}]

        [package.dev-dependencies]
        dev = [{{ name = "gamma" }}]

        [[package]]
        name = "alpha"
        version = "1.0.0"
        source = {{ registry = "https://registry.example.org/simple" }}
        dependencies = [{{ name = "beta", marker = "sys_platform == 'win32'" }}]
        sdist = {{ url = "https://registry.example.org/a.tar.gz", hash = "sha256:{SUM}", size = 1 }}

        [[package]]
        name = "beta"
        version = "2.0.0"
        source = {{ registry = "https://registry.example.org/simple" }}

        [[package]]
        name = "gamma"
        version = "3.0.0"
        source = {{ registry = "https://registry.example.org/simple" }}
        """,
        ">alpha 1.0.0, beta 2.0.0, >~gamma 3.0.0",
        ((0, 1),),
    ),
    sample(
        "pdm-lock",
        "pdm.lock",
        f"""
        [metadata]
        groups = ["default", "dev"]
        lock_version = "4.5.0"

        [[package]]
        name = "alpha"
        version = "1.0.0"
        groups = ["default"]
        dependencies = ["beta>=2"]
        files = [{{file = "alpha-1.0.0.tar.gz", hash = "sha256:{SUM}"}}]

        [[package]]
        name = "beta"
        version = "2.0.0"
        files = []
        """,
        "alpha 1.0.0, beta 2.0.0",
        ((0, 1),),
    ),
    sample(
        "pylock",
        "pylock.dev.toml",
        f"""
        lock-version = "1.0"
        created-by = "hand"

        [[packages]]
        name = "alpha"
        version = "1.0.0"
        dependencies = [{{name = "beta"}}]
        wheels = [{{name = "alpha.whl", hashes = {{sha256 = "{SUM}"}}}}]

        [[packages]]
        name = "beta"
        version = "2.0.0"
        """,
        "alpha 1.0.0, beta 2.0.0",
        ((0, 1),),
    ),
    sample(
        "pipfile-lock",
        "Pipfile.lock",
        f"""
        {{
          "_meta": {{"pipfile-spec": 6}},
          "default": {{"alpha": {{"hashes": ["sha256:{SUM}"], "version": "==1.0.0"}}, "Be_ta": {{"version": "==2.0.0"}}}},
          "develop": {{"gamma": {{"version": "==3.0.0"}}}}
        }}
        """,
        "alpha 1.0.0, be-ta 2.0.0, ~gamma 3.0.0",
    ),
    sample(
        "requirements",
        "requirements-dev.txt",
        f"""
        # This file is autogenerated by pip-compile with Python 3.12
        Alpha[extra]==1.0.0 \\
            --hash=sha256:{SUM}
            # via -r requirements.in
        be.ta == 2.0.0 ; python_version >= "3.8"
            # via
            #   alpha
            #   other
        """,
        ">alpha 1.0.0, be-ta 2.0.0",
        ((0, 1),),
    ),
)

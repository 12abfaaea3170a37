"""Small lock files of the other ecosystems, and bills of materials, written for these tests, with what they name.

The same project each time, as far as the format can say it: `alpha` is asked for and needs `beta`; `gamma` is for development.
"""

from __future__ import annotations

from tests.lockfiles.lock_form import SUM, sample

OTHERS = (
    sample(
        "go-mod",
        "go.mod",
        """
        module example.org/project

        go 1.22
        toolchain go1.22.3

        require example.org/Alpha v1.0.0
        require (
        \t"example.org/beta/v2" v2.0.1 // indirect
        \texample.org/gamma v0.0.0-20240101000000-0123456789ab
        \texample.org/own v1.0.0
        )
        exclude example.org/beta/v2 v2.0.0
        replace example.org/gamma => example.org/fork v3.0.0+incompatible
        replace example.org/own v1.0.0 => ./own
        """,
        ">example.org/Alpha v1.0.0, example.org/beta/v2 v2.0.1, >example.org/fork v3.0.0+incompatible, >stdlib 1.22.3",
    ),
    sample(
        "cargo-lock",
        "Cargo.lock",
        f"""
        version = 3

        [[package]]
        name = "project"
        version = "0.1.0"
        dependencies = ["alpha", "beta 1.0.0"]

        [[package]]
        name = "alpha"
        version = "1.0.0"
        source = "registry+https://registry.example.org/index"
        checksum = "{SUM}"
        dependencies = ["beta 2.0.0"]

        [[package]]
        name = "beta"
        version = "1.0.0"
        source = "registry+https://registry.example.org/index"

        [[package]]
        name = "beta"
        version = "2.0.0"
        source = "git+https://example.org/beta?rev=1#0123456789abcdef"
        """,
        ">alpha 1.0.0, >beta 1.0.0, beta 2.0.0",
        ((0, 2),),
    ),
    sample(
        "gradle-lock",
        "app/gradle.lockfile",
        """
        # This is a Gradle generated file for dependency locking.
        org.example:alpha:1.0.0=compileClasspath,runtimeClasspath
        org.example:gamma:3.0.0=testCompileClasspath, testRuntimeClasspath
        empty=annotationProcessor
        """,
        "org.example:alpha 1.0.0, ~org.example:gamma 3.0.0",
    ),
    sample(
        "sbt-lock",
        "build.sbt.lock",
        f"""
        {{
          "lockVersion": 1,
          "dependencies": [
            {{
              "org": "org.example",
              "name": "alpha",
              "version": "1.0.0",
              "artifacts": [{{"name": "alpha.jar", "hash": "sha256:{SUM}"}}],
              "configurations": ["compile", "test"]
            }},
            {{"org": "org.example", "name": "gamma", "version": "3.0.0", "configurations": ["test"]}}
          ]
        }}
        """,
        "org.example:alpha 1.0.0, ~org.example:gamma 3.0.0",
    ),
    sample(
        "pom",
        "pom.xml",
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <project xmlns="http://maven.apache.org/POM/4.0.0">
          <groupId>org.example</groupId>
          <artifactId>project</artifactId>
          <version>1.0.0</version>
          <properties><alpha.version>${project.version}</alpha.version></properties>
          <dependencyManagement><dependencies>
            <dependency><groupId>org.example</groupId><artifactId>beta</artifactId><version>[2.0.0]</version></dependency>
          </dependencies></dependencyManagement>
          <dependencies>
            <dependency><groupId>${project.groupId}</groupId><artifactId>alpha</artifactId><version>${alpha.version}</version></dependency>
            <dependency><groupId>org.example</groupId><artifactId>beta</artifactId></dependency>
            <dependency><groupId>org.example</groupId><artifactId>gamma</artifactId><version>3.0.0</version><scope>test</scope></dependency>
          </dependencies>
        </project>
        """,
        ">org.example:alpha 1.0.0, >org.example:beta 2.0.0, >~org.example:gamma 3.0.0",
    ),
    sample(
        "nuget-lock",
        "packages.lock.json",
        """
        {
          "version": 1,
          "dependencies": {
            "net8.0": {
              "Alpha": {"type": "Direct", "requested": "[1.0.0, )", "resolved": "1.0.0", "dependencies": {"Beta": "2.0.0"}},
              "Beta": {"type": "Transitive", "resolved": "2.0.0"},
              "own": {"type": "Project", "dependencies": {"Gamma": "3.0.0"}},
              "Gamma": {"type": "Transitive", "resolved": "3.0.0"}
            }
          }
        }
        """,
        ">Alpha 1.0.0, Beta 2.0.0, >Gamma 3.0.0",
        ((0, 1),),
    ),
    sample(
        "packages-config",
        "legacy/packages.config",
        """
        <?xml version="1.0" encoding="utf-8"?>
        <packages>
          <package id="Alpha" version="1.0.0" targetFramework="net48" />
          <package id="Gamma" version="3.0.0" targetFramework="net48" developmentDependency="true" />
        </packages>
        """,
        "Alpha 1.0.0, ~Gamma 3.0.0",
    ),
    sample(
        "deps-json",
        "bin/project.deps.json",
        """
        {
          "runtimeTarget": {"name": ".NETCoreApp,Version=v8.0"},
          "targets": {".NETCoreApp,Version=v8.0": {
            "project/1.0.0": {"dependencies": {"Alpha": "1.0.0"}},
            "Alpha/1.0.0": {"dependencies": {"Beta": "2.0.0"}, "runtime": {"lib/Alpha.dll": {}}},
            "Beta/2.0.0": {"runtime": {"lib/Beta.dll": {}}},
            "Reference.Only/1.0.0": {}
          }},
          "libraries": {
            "project/1.0.0": {"type": "project", "serviceable": false, "sha512": ""},
            "Alpha/1.0.0": {"type": "package", "serviceable": true, "sha512": ""},
            "Beta/2.0.0": {"type": "package", "serviceable": true, "sha512": ""},
            "Reference.Only/1.0.0": {"type": "package", "serviceable": true, "sha512": ""}
          }
        }
        """,
        ">Alpha 1.0.0, Beta 2.0.0",
        ((0, 1),),
    ),
    sample(
        "gemfile-lock",
        "Gemfile.lock",
        f"""
        PATH
          remote: .
          specs:
            project (0.1.0)
              beta (~> 2)

        GEM
          remote: https://gems.example.org/
          specs:
            alpha (1.0.0-x86_64-linux)
              beta (>= 2)
            alpha (1.0.0)
              beta (>= 2)
            beta (2.0.0)
            delta (4.0.0)

        PLATFORMS
          ruby

        DEPENDENCIES
          alpha (~> 1.0)
          project!

        CHECKSUMS
          alpha (1.0.0) sha256={SUM}

        BUNDLED WITH
           2.5.0
        """,
        ">alpha 1.0.0, >beta 2.0.0, delta 4.0.0",
        ((0, 1),),
    ),
    sample(
        "composer-lock",
        "composer.lock",
        """
        {
            "packages": [
                {"name": "Acme/Alpha", "version": "v1.0.0", "require": {"php": ">=8", "acme/beta": "^2"},
                 "dist": {"type": "zip", "shasum": ""}},
                {"name": "acme/beta", "version": "dev-main",
                 "source": {"type": "git", "reference": "0123456789abcdef0123456789abcdef01234567"}}
            ],
            "packages-dev": [{"name": "acme/gamma", "version": "3.0.0"}]
        }
        """,
        "acme/alpha v1.0.0, acme/beta 0123456789abcdef0123456789abcdef01234567, ~acme/gamma 3.0.0",
        ((0, 1),),
    ),
    sample(
        "mix-lock",
        "mix.lock",
        f"""
        %{{
          "alpha": {{:hex, :alpha, "1.0.0", "{SUM}", [:mix],
            [{{:beta, "~> 2.0", [hex: :beta, repo: "hexpm", optional: false]}}], "hexpm", "{SUM}"}},
          "beta": {{:hex, :beta, "2.0.0", "{SUM}", [:mix], [], "hexpm", "{SUM}"}},
          "gamma": {{:git, "https://example.org/gamma.git", "0123456789abcdef0123456789abcdef01234567", []}},
        }}
        """,
        "alpha 1.0.0, beta 2.0.0, gamma 0123456789abcdef0123456789abcdef01234567",
        ((0, 1),),
    ),
    sample(
        "pubspec-lock",
        "pubspec.lock",
        f"""
        # Generated by pub
        packages:
          alpha:
            dependency: "direct main"
            description:
              name: alpha
              sha256: "{SUM}"
              url: "https://pub.example.org"
            source: hosted
            version: "1.0.0"
          flutter:
            dependency: "direct main"
            description: flutter
            source: sdk
            version: "0.0.0"
          gamma:
            dependency: "direct dev"
            description:
              name: gamma
            source: hosted
            version: "3.0.0"
        """,
        ">alpha 1.0.0, >~gamma 3.0.0",
    ),
    sample(
        "swift-resolved",
        "Package.resolved",
        """
        {
          "pins" : [
            {
              "identity" : "alpha",
              "kind" : "remoteSourceControl",
              "location" : "https://example.org/acme/Alpha.git",
              "state" : {"revision" : "0123456789abcdef0123456789abcdef01234567", "version" : "1.0.0"}
            },
            {
              "identity" : "beta",
              "kind" : "remoteSourceControl",
              "location" : "git@example.org:acme/beta",
              "state" : {"branch" : "main", "revision" : "0123456789abcdef0123456789abcdef01234567"}
            }
          ],
          "version" : 2
        }
        """,
        "example.org/acme/Alpha 1.0.0, example.org/acme/beta 0123456789abcdef0123456789abcdef01234567",
    ),
    sample(
        "podfile-lock",
        "Podfile.lock",
        """
        PODS:
          - Alpha (1.0.0):
            - Alpha/Core (= 1.0.0)
          - Alpha/Core (1.0.0):
            - "Beta+Gamma (~> 2.0)"
          - "Beta+Gamma (2.0.0)"

        DEPENDENCIES:
          - Alpha (~> 1.0)

        COCOAPODS: 1.15.2
        """,
        ">Alpha 1.0.0, Alpha/Core 1.0.0, Beta+Gamma 2.0.0",
        ((0, 1), (1, 2)),
    ),
    sample(
        "conan-lock",
        "conan.lock",
        """
        {
            "version": "0.5",
            "requires": ["alpha/1.0.0#0123456789abcdef0123456789abcdef%1675278904.0", "beta/2.0.0@acme/stable"],
            "build_requires": ["gamma/3.0.0#0123456789abcdef0123456789abcdef"],
            "python_requires": []
        }
        """,
        "alpha 1.0.0, beta 2.0.0, ~gamma 3.0.0",
    ),
    sample(
        "conan-lock",
        "old/conan.lock",
        """
        {
          "version": "0.4",
          "graph_lock": {"nodes": {
            "0": {"requires": ["1"], "path": "conanfile.txt"},
            "1": {"ref": "alpha/1.0.0", "requires": ["2"], "context": "host"},
            "2": {"ref": "beta/2.0.0#f00", "context": "host"}
          }}
        }
        """,
        ">alpha 1.0.0, beta 2.0.0",
        ((0, 1),),
    ),
    sample(
        "cyclonedx",
        "sbom/project.cdx.json",
        """
        {
          "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
          "metadata": {"component": {"type": "application", "bom-ref": "root", "name": "project"}},
          "components": [
            {"type": "application", "bom-ref": "lock", "name": "package-lock.json"},
            {"type": "library", "bom-ref": "a", "name": "alpha", "version": "1.0.0", "purl": "pkg:npm/%40scope/alpha@1.0.0"},
            {"type": "library", "bom-ref": "b", "name": "beta", "version": "2.0.0", "scope": "excluded", "purl": "pkg:npm/beta@2.0.0?a=x"}
          ],
          "dependencies": [{"ref": "root", "dependsOn": ["lock"]}, {"ref": "lock", "dependsOn": ["a"]}, {"ref": "a", "dependsOn": ["b"]}]
        }
        """,
        ">@scope/alpha 1.0.0, ~beta 2.0.0",
        ((0, 1),),
    ),
    sample(
        "spdx",
        "sbom/project.spdx.json",
        """
        {
          "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "project",
          "documentNamespace": "https://example.org/project-1",
          "creationInfo": {"created": "2026-01-01T00:00:00.123456Z", "creators": ["Tool: other-1.0"]},
          "packages": [
            {"name": "project", "SPDXID": "SPDXRef-root", "downloadLocation": "NOASSERTION", "primaryPackagePurpose": "FILE"},
            {"name": "alpha", "SPDXID": "SPDXRef-a", "versionInfo": "1.0.0", "downloadLocation": "NOASSERTION",
             "externalRefs": [
               {"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:x:alpha:1.0.0:*:*:*:*:*:*:*"},
               {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:pypi/Al_pha@1.0.0"}]},
            {"name": "beta", "SPDXID": "SPDXRef-b", "versionInfo": "2.0.0", "downloadLocation": "NOASSERTION",
             "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:pypi/beta@2.0.0"}]}
          ],
          "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-root"},
            {"spdxElementId": "SPDXRef-root", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-a"},
            {"spdxElementId": "SPDXRef-b", "relationshipType": "DEPENDENCY_OF", "relatedSpdxElement": "SPDXRef-a"}
          ]
        }
        """,
        "al-pha 1.0.0, beta 2.0.0",
        ((0, 1),),
    ),
)

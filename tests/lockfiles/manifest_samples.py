"""Manifests that ask for one package each: file name -> (text, what the check calls the package)."""

from __future__ import annotations

ASKING: dict[str, tuple[str, str]] = {
    "package.json": ('{"name": "web", "dependencies": {"alpha": "^1"}}', "alpha"),
    "pyproject.toml": ('[project]\nname = "web"\ndependencies = ["alpha>=1"]\n', "alpha"),
    "setup.cfg": ("[metadata]\nname = web\n[options]\ninstall_requires =\n    alpha>=1\n", "alpha"),
    "setup.py": ('setup(name="web", install_requires=["alpha>=1"])\n', "its dependencies"),
    "Pipfile": ('[packages]\nalpha = "*"\n', "alpha"),
    "Cargo.toml": ('[package]\nname = "web"\n[dependencies]\nalpha = "1"\nown = { path = "../own" }\n', "alpha"),
    "composer.json": ('{"name": "acme/web", "require": {"php": ">=8", "ext-json": "*", "acme/alpha": "^1"}}', "acme/alpha"),
    "Gemfile": ('source "https://gems.example.org"\n# gem "old"\ngem "alpha", "~> 1"\n', "alpha"),
    "gems.rb": ("gem 'alpha'\n", "alpha"),
    "web.gemspec": ('Gem::Specification.new do |s|\n  s.name = "web"\n  s.add_dependency "alpha", "~> 1"\nend\n', "alpha"),
    "build.gradle": ("dependencies {\n    implementation 'org.example:alpha:1.+'\n}\n", "org.example:alpha"),
    "build.gradle.kts": ('dependencies {\n    testImplementation(libs.alpha)\n    // api("a:b:1")\n}\n', "libs.alpha"),
    "build.sbt": ('name := "web"\nlibraryDependencies += "org.example" %% "alpha" % "1.0"\n', 'org.example" %% "alpha'),
    "web.csproj": ('<Project><ItemGroup><PackageReference Include="Alpha" Version="1.*" /></ItemGroup></Project>', "Alpha"),
    "mix.exs": ('def project, do: [app: :web]\ndefp deps, do: [\n  {:alpha, "~> 1.0"}\n]\n', "alpha"),
    "pubspec.yaml": ("name: web\ndependencies:\n  flutter:\n    sdk: flutter\n  alpha: ^1.0.0\n", "alpha"),
    "Package.swift": (
        'let package = Package(name: "web", dependencies: [\n  .package(url: "https://example.org/alpha", from: "1.0.0")\n])',
        "https://example.org/alpha",
    ),
    "Podfile": ("target 'web' do\n  pod 'Alpha', '~> 1'\nend\n", "Alpha"),
    "conanfile.txt": ("[requires]\nalpha/[>=1.0]\n", "alpha"),
    "conanfile.py": ('class Web(ConanFile):\n    name = "web"\n    requires = "alpha/[>=1]"\n', "alpha"),
}

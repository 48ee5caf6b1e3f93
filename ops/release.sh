#!/bin/bash
# Builds what a release ships, into FOLDER:
#   ops/release.sh VERSION [FOLDER]     default FOLDER: artifacts
#   FOLDER/dispatcher-VERSION-linux-x64.tar.gz     the program in one file, which needs no .NET, and the shipped policies
#   FOLDER/packages/*.nupkg, *.snupkg              Dispatcher.Contracts, .Worker and .Persistence, with symbols
# RUNTIMES="linux-x64 linux-arm64" builds the program for several runtimes, RUNTIMES= only the packages.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

version=${1:-} folder=${2:-artifacts}
if [[ ! $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]]; then
    echo "ops/release.sh: the version is \"$version\", which is not like 1.2.3 or 1.2.3-rc.1." >&2
    sed -n '3p' "$0" >&2
    exit 2
fi
mkdir -p "$folder"
folder=$(realpath "$folder")

# A copy of the commit: a file that is not committed is not released, and the source's lock files stay as they are.
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
git archive HEAD | tar -x -C "$source"
commit=$(git rev-parse HEAD)
cd "$source"
release=(--configuration Release -p:Version="$version" -p:SourceRevisionId="$commit" -p:ContinuousIntegrationBuild=true)

for project in Contracts Worker Persistence; do
    dotnet pack "src/Dispatcher.$project" "${release[@]}" -p:IncludeSymbols=true -p:SymbolPackageFormat=snupkg \
        -p:RepositoryCommit="$commit" --output "$folder/packages"
done

for runtime in ${RUNTIMES-linux-x64}; do
    # The lock files name no runtime: in the copy they are extended.
    name=dispatcher-$version-$runtime
    dotnet publish src/Dispatcher "${release[@]}" --runtime "$runtime" --self-contained \
        -p:RestoreLockedMode=false -p:RestoreForceEvaluate=true \
        -p:PublishSingleFile=true -p:IncludeNativeLibrariesForSelfExtract=true -p:DebugType=embedded --output "published/$runtime"
    mkdir "$name"
    cp -r "published/$runtime/dispatcher" policies LICENSE "$name"
    tar --owner=0 --group=0 --sort=name -czf "$folder/$name.tar.gz" "$name"
done

cd "$folder"
shopt -s nullglob
sha256sum "dispatcher-$version"-*.tar.gz packages/*."$version".*nupkg | tee SHA256SUMS

// Names of container images as ImageLocality compares them.

/** With `:latest` where there is no tag: no colon behind the last slash (`host:5000/image` has none). */
export function normalisedImage(name: string): string {
  return name.lastIndexOf(':') <= name.lastIndexOf('/') ? `${name}:latest` : name;
}

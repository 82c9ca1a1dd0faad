// Compares objects of operators with the schemas of their custom resources. Standard input: arrays of objects, as JSON.
import { text } from "node:stream/consumers";

const PACKAGES = {
  "external-secrets.io": "external-secrets",
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
};

const objects = (await text(process.stdin)).split(/(?<=\])(?=\[)/).flatMap((part) => JSON.parse(part));
let checked = 0;
for (const object of objects) {
  const [group] = object.apiVersion.split("/");
  if (!(group in PACKAGES)) continue;
  const path = `@kubernetes-models/${PACKAGES[group]}/${object.apiVersion}/${object.kind}`;
  const { [object.kind]: Model } = await import(path);
  try {
    new Model(object).validate();
  } catch (error) {
    console.error(`${object.kind} ${object.metadata.name}: ${error.message}`);
    process.exitCode = 1;
  }
  checked += 1;
}
if (checked === 0) {
  console.error("no object of an operator was found");
  process.exitCode = 1;
}

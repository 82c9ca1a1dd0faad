// Compares objects of operators with the schemas of their custom resources. Standard input: arrays of objects, as JSON.
import { text } from "node:stream/consumers";

const PACKAGES = {
  "external-secrets.io": "external-secrets",
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
  "postgresql.cnpg.io": "cloudnative-pg",
};
// Kubernetes' own groups end in k8s.io, or have no dot. No package has the schemas of these operators.
const UNCHECKED = ["barmancloud.cnpg.io"];

const objects = (await text(process.stdin)).split(/(?<=\])(?=\[)/).flatMap((part) => JSON.parse(part));
let checked = 0;
for (const object of objects) {
  const [group] = object.apiVersion.split("/");
  if (!group.includes(".") || group.endsWith(".k8s.io") || UNCHECKED.includes(group)) continue;
  if (!(group in PACKAGES)) {
    console.error(`${object.kind} ${object.metadata.name}: nobody has said where the schemas of ${group} are`);
    process.exitCode = 1;
    continue;
  }
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

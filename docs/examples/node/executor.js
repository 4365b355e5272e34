// Carries commands out: node executor.js SERVICE INSTANCE [ENVIRONMENT [TOPIC_PREFIX]]
import { createHmac, timingSafeEqual } from "node:crypto";
import { Kafka, logLevel, Partitioners } from "kafkajs";

const [service, instance, environment = "production", prefix = "faultstream.recovery."] = process.argv.slice(2);
const { FAULTSTREAM_KAFKA: brokers = "127.0.0.1:9092", FAULTSTREAM_SIGNING_KEY: key } = process.env;
const { FAULTSTREAM_SIGNING_KEY_ID: keyId = "k1" } = process.env;
const kafka = new Kafka({ clientId: instance, brokers: brokers.split(","), logLevel: logLevel.ERROR });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
const consumer = kafka.consumer({ groupId: `faultstream-${service}-${instance}`, sessionTimeout: 10_000 });
const strategies = { cache_clear: async ({ pattern }) => `cleared ${pattern}` }; // yours
const seen = new Set(); // keep it on disk when a command must never run twice

const sign = (value) => createHmac("sha256", key).update(value).digest("hex");
const trusted = ({ value, headers }) => {
  const right = Buffer.from(sign(value));
  const given = headers["faultstream-signature"] ?? Buffer.alloc(0);
  return given.length === right.length && timingSafeEqual(given, right);
};

async function carryOut({ command_id, incident_id, strategy, parameters = {}, target, expires_at, dry_run }) {
  const mine = target.environment === environment && target.service === service;
  if (!mine || ![target.instances ?? "all"].flat().some((one) => one === "all" || one === instance)) return;
  if (seen.has(command_id) || !(strategy in strategies) || dry_run) return;
  seen.add(command_id);
  const started_at = new Date().toISOString();
  const told = { result_id: `${command_id}/${instance}`, command_id, incident_id, environment, service, strategy };
  let outcome = { status: "expired" };
  if (new Date(expires_at) > new Date()) {
    outcome = await strategies[strategy](parameters).then(
      (message) => ({ status: "success", message }), (error) => ({ status: "failed", message: String(error) }));
  }
  const value = JSON.stringify(
    { ...told, executor: "node", instance, ...outcome, started_at, finished_at: new Date().toISOString() });
  const headers = { "faultstream-signature": sign(value), "faultstream-key-id": keyId };
  await producer.send({ topic: `${prefix}results.v1`, messages: [{ key: environment, value, headers }] });
}

await Promise.all([producer.connect(), consumer.connect()]);
await consumer.subscribe({ topic: `${prefix}commands.v1`, fromBeginning: true });
await consumer.run({ eachMessage: async ({ message }) => trusted(message) && carryOut(JSON.parse(message.value)) });
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => consumer.disconnect().then(() => producer.disconnect()));

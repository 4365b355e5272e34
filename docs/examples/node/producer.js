// Reports an error: node producer.js SERVICE ERROR_TYPE MESSAGE [TOPIC]
import { randomUUID } from "node:crypto";
import { Kafka, logLevel, Partitioners } from "kafkajs";

const [service, errorType, message, topic = "faultstream.errors.v1"] = process.argv.slice(2);
const brokers = (process.env.FAULTSTREAM_KAFKA ?? "127.0.0.1:9092").split(",");
const kafka = new Kafka({ clientId: service, brokers, logLevel: logLevel.ERROR });
const producer = kafka.producer({
  createPartitioner: Partitioners.DefaultPartitioner,
  allowAutoTopicCreation: false,
});

const error = new Error(message);
const event = {
  service,
  error_type: errorType,
  event_id: randomUUID(),
  time: new Date().toISOString(),
  message: error.message,
  frames: error.stack.split("\n").slice(1).reverse().map((line) => {
    const [, called, file, number] = /at (?:(.*) \()?(.*?):(\d+):\d+\)?$/.exec(line) ?? [];
    return { function: called ?? "", file: file ?? "", line: Number(number ?? 0), in_app: !/node:/.test(line) };
  }),
  tags: { runtime: `node ${process.version}` },
};

await producer.connect();
await producer.send({ topic, messages: [{ key: service, value: JSON.stringify(event) }] });
await producer.disconnect();

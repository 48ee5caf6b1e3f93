"""Submits one job over AMQP and prints the answers. DISPATCHER_RABBITMQ is the address of a producer; needs pika (python3-pika)."""
import json, os, uuid, pika

address = pika.URLParameters(os.environ["DISPATCHER_RABBITMQ"])
me, server = address.credentials.username, "dispatcher"     # the broker users of this producer and of the servers
channel = pika.BlockingConnection(address).channel()
replies = f"reply.{me}.first"
channel.queue_declare(replies, exclusive=True)
job = {"topic": "job.exec.shell", "idempotency_key": str(uuid.uuid4()), "labels": {"env": "dev"}, "payload": {"command": ["echo", "hello"]}}
channel.basic_publish("dispatcher.jobs", job["topic"], json.dumps(job), pika.BasicProperties(user_id=me, reply_to=replies, delivery_mode=2))
for _, properties, body in channel.consume(replies, auto_ack=True, inactivity_timeout=30):
    if properties is None:
        raise SystemExit("no answer within 30 s")
    if properties.user_id != server:
        continue                                            # the broker checks user_id: only the server can set its own
    answer = json.loads(body)                               # first the decision, then the final state
    print(properties.type, answer.get("state"), answer.get("result", answer.get("reason")), answer.get("errors", ""))
    if properties.type != "decision" or answer["state"] == "denied":
        break

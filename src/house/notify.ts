/** Notifications: receivers of the configuration, each with its courier over the shared log. Main thread. */
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Metrics } from '../core/metrics.ts'
import { createOutward } from '../http/outward.ts'
import { ByteBudget } from '../log/durable-log.ts'
import type { LogEnvironment } from '../log/log-environment.ts'
import type { Bury, Courier, Outcome } from '../notify/courier.ts'
import type { EventBus } from '../notify/event-bus.ts'
import { MailSender } from '../notify/mail.ts'
import { type Message, MessageCourier } from '../notify/message-courier.ts'
import { mailText, readMessageTemplates, slackText } from '../notify/message-templates.ts'
import { type NoticeFilter, wants } from '../notify/notice.ts'
import { Notifier } from '../notify/notifier.ts'
import { Outbox } from '../notify/outbox.ts'
import { QuietHours } from '../notify/quiet-hours.ts'
import { sendSlack } from '../notify/slack.ts'
import { sendWebhook } from '../notify/webhook.ts'
import { WebhookCourier } from '../notify/webhook-courier.ts'

/** Notices of one receiver in memory; what is beyond waits in the log. */
const pendingMax = 2000
/** Dead letters on disk, besides their number. */
const deadBytesMax = 16_777_216

export interface NotifyRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly metrics: Metrics
  readonly bus: EventBus
  readonly logs: LogEnvironment
}

/** @throws ConfigProblems: templates that cannot be used */
export async function openNotify(rooms: NotifyRooms): Promise<Notifier> {
  const { config, log, clock, metrics, bus, logs } = rooms
  const { notify } = config
  const receivers = [...notify.webhooks, ...notify.slack, ...notify.mail]
  const notifier = await Notifier.open(
    {
      bus,
      notices: logs.log('notices', new ByteBudget(notify.queueBytesMax)),
      dead: logs.log('notices-dead', new ByteBudget(deadBytesMax)),
      deadMax: notify.deadMax,
      names: receivers.map(({ name }) => name),
      clock,
      log,
      counters: metrics.counters,
    },
    (bury) => couriersOf(rooms, bury),
  )
  metrics.gauge('notices_waiting', 'Notices that the slowest receiver was not given', () => notifier.waiting)
  metrics.gauge('notices_oldest_seconds', 'Age of the oldest of them', () => notifier.oldestS)
  metrics.gauge('notices_bytes', 'Notices in the durable log', () => notifier.bytes)
  metrics.gauge('dead_letters', 'Notices that were given up', () => notifier.deadCount)
  return notifier
}

function couriersOf({ config, clock, metrics, logs }: NotifyRooms, bury: Bury): Courier[] {
  const { notify, server } = config
  const { counters } = metrics
  const { retry, requestTimeoutMs: timeoutMs } = notify
  const notices = logs.log('notices', new ByteBudget(notify.queueBytesMax))
  const outward = { outward: createOutward(), clock, timeoutMs }
  const shared = { retry, bury, clock, random: Math.random, counters }
  const templates = readMessageTemplates(notify.templatesDir)
  const quiet = notify.quietHours === null ? null : new QuietHours(notify.quietHours)
  const outbox = (receiver: NoticeFilter & { readonly name: string }): Outbox => {
    return new Outbox({ log: notices, name: receiver.name, wants: (notice) => wants(receiver, notice), pendingMax })
  }
  const webhooks = notify.webhooks.map((target) => {
    const deliver: WebhookDeliver = (notice, signal) => sendWebhook(target, outward, notice, signal)
    return new WebhookCourier({ name: target.name, outbox: outbox(target), deliver, ...shared })
  })
  const people = <T extends NoticeFilter & { readonly name: string; readonly quietHours: boolean }>(
    kind: 'slack' | 'mail',
    target: T,
    deliver: (message: Message, signal: AbortSignal) => Promise<Outcome>,
  ): MessageCourier => {
    const quietHours = target.quietHours ? quiet : null
    return new MessageCourier({ name: target.name, kind, outbox: outbox(target), deliver, quietHours, ...shared })
  }
  const wording = (numbers: 'full' | 'masked') => ({ numbers, publicUrl: server.publicUrl })
  const slack = notify.slack.map((target) =>
    people('slack', target, (message, signal) =>
      sendSlack(target, outward, slackText(templates.slack, message, wording(target.numbers)), signal),
    ),
  )
  const sender = notify.smtp === null ? null : new MailSender(notify.smtp, timeoutMs)
  const mail = notify.mail.map((target) =>
    people('mail', target, async (message) => {
      const text = mailText(templates.mail, message, wording(target.numbers))
      return sender === null ? noSmtp : await sender.send(target, { ...text, notices: message.notices })
    }),
  )
  return [...webhooks, ...slack, ...mail]
}

type WebhookDeliver = ConstructorParameters<typeof WebhookCourier>[0]['deliver']

/** The configuration has been checked; this is for the compiler. */
const noSmtp: Outcome = { state: 'gone', why: 'notify.smtp is not set' }

/**
 * The templates of messages to people: `configs/templates/*.txt`, each of which a file of the same name in the user's
 * own directory replaces. All are read at start, and what is wrong with them stops it. A mail's first line is its
 * subject. Main thread, at start.
 */
import { existsSync, readFileSync } from 'node:fs'
import { ConfigProblems } from '../config/load.ts'
import { messageOf } from '../core/errors.ts'
import { projectRoot } from '../core/project.ts'
import { digestValues, noticeValues, templateNames, type Wording } from './message.ts'
import type { Message } from './message-courier.ts'
import { Template, type TemplateValues } from './template.ts'

const shippedDirectory = `${projectRoot}configs/templates`
const subjectLine = /^Subject: ?([^\r\n]*)\r?\n(?:\r?\n)?/
/** Characters of a message and of a subject; longer ones are cut. Slack takes 40,000. */
const textMax = 30_000
const subjectMax = 200

export interface MessageTemplates {
  readonly slack: { readonly notice: Template; readonly digest: Template }
  readonly mail: { readonly notice: MailTemplate; readonly digest: MailTemplate }
}

export interface MailTemplate {
  readonly subject: Template
  readonly body: Template
}

/** @param directory the user's own, or null. @throws ConfigProblems */
export function readMessageTemplates(directory: string | null): MessageTemplates {
  const problems: string[] = []
  if (directory !== null && !existsSync(directory)) problems.push(`notify.templatesDir: no directory ${directory}`)
  const slack = (name: string): Template => parse(...read(directory, name, problems), problems)
  const mail = (name: string): MailTemplate => parseMail(...read(directory, name, problems), problems)
  const templates = {
    slack: { notice: slack('slack-notice.txt'), digest: slack('slack-digest.txt') },
    mail: { notice: mail('mail-notice.txt'), digest: mail('mail-digest.txt') },
  }
  if (problems.length > 0) throw new ConfigProblems(problems)
  return templates
}

function read(directory: string | null, name: string, problems: string[]): [path: string, text: string] {
  const own = `${directory}/${name}`
  const path = directory !== null && existsSync(own) ? own : `${shippedDirectory}/${name}`
  try {
    return [path, readFileSync(path, 'utf8')]
  } catch (thrown) {
    problems.push(`${path}: ${messageOf(thrown)}`)
    return [path, 'Subject: unreadable\n']
  }
}

const nothing = Template.parse('', templateNames) as Template

function parse(path: string, text: string, problems: string[]): Template {
  const parsed = Template.parse(text, templateNames)
  if (parsed instanceof Template) return parsed
  problems.push(...parsed.map((problem) => `${path}: ${problem}`))
  return nothing
}

function parseMail(path: string, text: string, problems: string[]): MailTemplate {
  const [head, subject] = subjectLine.exec(text) ?? []
  if (head === undefined || subject === undefined) {
    problems.push(`${path}: the first line must be "Subject: ..."`)
    return { subject: nothing, body: nothing }
  }
  return { subject: parse(path, subject, problems), body: parse(path, text.slice(head.length), problems) }
}

function valuesOf({ notices, digest, quiet, more }: Message, wording: Wording): TemplateValues {
  return digest ? digestValues(notices, more, quiet, wording) : noticeValues(notices[0]!, wording)
}

/** Slack's mrkdwn: three characters have a meaning in any place (docs: "Escaping text"). */
function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

export function slackText(templates: MessageTemplates['slack'], message: Message, wording: Wording): string {
  const template = message.digest ? templates.digest : templates.notice
  return template.render(valuesOf(message, wording), escapeSlack).trim().slice(0, textMax)
}

export function mailText(
  templates: MessageTemplates['mail'],
  message: Message,
  wording: Wording,
): { readonly subject: string; readonly text: string } {
  const template = message.digest ? templates.digest : templates.notice
  const values = valuesOf(message, wording)
  const oneLine = (text: string): string => text.replace(/\s+/g, ' ')
  return {
    subject: template.subject.render(values, oneLine).trim().slice(0, subjectMax),
    text: `${template.body
      .render(values, (text) => text)
      .trim()
      .slice(0, textMax)}\n`,
  }
}

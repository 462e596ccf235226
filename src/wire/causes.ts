/**
 * Why calls end: ITU-T Q.850 cause values, SIP status codes, FreeSWITCH's names, Asterisk's dispositions, and how
 * they translate (RFC 3398 sections 7.2.4.1 and 8.2.6.1). The canonical CDR keeps what the switch said in its own
 * field and fills `causeQ850` from the others where the RFC defines it, so that all sources can be counted on one
 * scale. Any thread.
 */

/** RFC 3398 8.2.6.1: SIP status -> Q.850. 487 stands there as "no mapping"; its CANCEL releases with 16. */
const sipToQ850: Readonly<Record<number, number>> = {
  400: 41,
  401: 21,
  402: 21,
  403: 21,
  404: 1,
  405: 63,
  406: 79,
  407: 21,
  408: 102,
  410: 22,
  413: 127,
  414: 127,
  415: 79,
  416: 127,
  420: 127,
  421: 127,
  423: 127,
  480: 18,
  481: 41,
  482: 25,
  483: 25,
  484: 28,
  485: 1,
  486: 17,
  487: 16,
  488: 31,
  500: 41,
  501: 79,
  502: 38,
  503: 41,
  504: 102,
  505: 127,
  513: 127,
  600: 17,
  603: 21,
  604: 1,
  606: 31,
}

/** RFC 3398 7.2.4.1: Q.850 -> SIP status. 16 and 31 have none: they are BYE or CANCEL. */
const q850ToSip: Readonly<Record<number, number>> = {
  1: 404,
  2: 404,
  3: 404,
  17: 486,
  18: 408,
  19: 480,
  20: 480,
  21: 403,
  22: 410,
  23: 410,
  26: 404,
  27: 502,
  28: 484,
  29: 501,
  31: 480,
  34: 503,
  38: 503,
  41: 503,
  42: 503,
  47: 503,
  55: 403,
  57: 403,
  58: 503,
  65: 488,
  70: 488,
  79: 501,
  87: 403,
  88: 503,
  102: 504,
  111: 500,
  127: 500,
}

/** The Q.850 value of a final SIP status. A success ends with 16, normal clearing. */
export function q850OfSip(status: number): number | undefined {
  if (status >= 200 && status < 300) return 16
  return sipToQ850[status]
}

/** The SIP status that a gateway would send for a Q.850 value. */
export function sipOfQ850(cause: number): number | undefined {
  return q850ToSip[cause]
}

/** FreeSWITCH switch_call_cause_t names that are Q.850 values (switch_types.h), and Asterisk's AST_CAUSE_ spellings. */
const q850Names: Readonly<Record<string, number>> = {
  UNALLOCATED_NUMBER: 1,
  UNALLOCATED: 1,
  NO_ROUTE_TRANSIT_NET: 2,
  NO_ROUTE_DESTINATION: 3,
  CHANNEL_UNACCEPTABLE: 6,
  CALL_AWARDED_DELIVERED: 7,
  NORMAL_CLEARING: 16,
  USER_BUSY: 17,
  NO_USER_RESPONSE: 18,
  NO_ANSWER: 19,
  SUBSCRIBER_ABSENT: 20,
  CALL_REJECTED: 21,
  NUMBER_CHANGED: 22,
  REDIRECTION_TO_NEW_DESTINATION: 23,
  EXCHANGE_ROUTING_ERROR: 25,
  DESTINATION_OUT_OF_ORDER: 27,
  INVALID_NUMBER_FORMAT: 28,
  FACILITY_REJECTED: 29,
  RESPONSE_TO_STATUS_ENQUIRY: 30,
  NORMAL_UNSPECIFIED: 31,
  NORMAL_CIRCUIT_CONGESTION: 34,
  NETWORK_OUT_OF_ORDER: 38,
  NORMAL_TEMPORARY_FAILURE: 41,
  SWITCH_CONGESTION: 42,
  ACCESS_INFO_DISCARDED: 43,
  REQUESTED_CHAN_UNAVAIL: 44,
  PRE_EMPTED: 45,
  FACILITY_NOT_SUBSCRIBED: 50,
  OUTGOING_CALL_BARRED: 52,
  INCOMING_CALL_BARRED: 54,
  BEARERCAPABILITY_NOTAUTH: 57,
  BEARERCAPABILITY_NOTAVAIL: 58,
  SERVICE_UNAVAILABLE: 63,
  BEARERCAPABILITY_NOTIMPL: 65,
  CHAN_NOT_IMPLEMENTED: 66,
  FACILITY_NOT_IMPLEMENTED: 69,
  SERVICE_NOT_IMPLEMENTED: 79,
  INVALID_CALL_REFERENCE: 81,
  INCOMPATIBLE_DESTINATION: 88,
  INVALID_MSG_UNSPECIFIED: 95,
  MANDATORY_IE_MISSING: 96,
  MESSAGE_TYPE_NONEXIST: 97,
  WRONG_MESSAGE: 98,
  IE_NONEXIST: 99,
  INVALID_IE_CONTENTS: 100,
  WRONG_CALL_STATE: 101,
  RECOVERY_ON_TIMER_EXPIRE: 102,
  MANDATORY_IE_LENGTH_ERROR: 103,
  PROTOCOL_ERROR: 111,
  INTERWORKING: 127,
}

/** Names that only FreeSWITCH has (values from 487 up), by what they mean on the Q.850 scale. */
const freeSwitchNames: Readonly<Record<string, { q850: number; sip?: number }>> = {
  ORIGINATOR_CANCEL: { q850: 16, sip: 487 },
  LOSE_RACE: { q850: 26 },
  PICKED_OFF: { q850: 26 },
  ATTENDED_TRANSFER: { q850: 16 },
  BLIND_TRANSFER: { q850: 16 },
  MANAGER_REQUEST: { q850: 16 },
  ALLOTTED_TIMEOUT: { q850: 16 },
  MEDIA_TIMEOUT: { q850: 41 },
  PROGRESS_TIMEOUT: { q850: 18 },
  USER_NOT_REGISTERED: { q850: 20 },
  GATEWAY_DOWN: { q850: 27 },
  SYSTEM_SHUTDOWN: { q850: 41 },
  CRASH: { q850: 41 },
  USER_CHALLENGE: { q850: 21 },
  INVALID_GATEWAY: { q850: 3 },
  INVALID_PROFILE: { q850: 3 },
  INVALID_URL: { q850: 28 },
  DECLINE: { q850: 21, sip: 603 },
  BUSY_EVERYWHERE: { q850: 17, sip: 600 },
  DOES_NOT_EXIST_ANYWHERE: { q850: 1, sip: 604 },
  NOT_ACCEPTABLE: { q850: 31, sip: 606 },
  UNWANTED: { q850: 21, sip: 607 },
}

/** Asterisk CDR dispositions and the words of other exports, spelled as below after folding. */
const dispositions: Readonly<Record<string, number>> = {
  ANSWERED: 16,
  ANSWER: 16,
  COMPLETED: 16,
  NO_ANSWER: 19,
  NOANSWER: 19,
  BUSY: 17,
  FAILED: 41,
  CONGESTION: 34,
  CANCELED: 16,
  CANCELLED: 16,
  CANCEL: 16,
  CHANUNAVAIL: 20,
  REJECTED: 21,
  DECLINED: 21,
}

export interface NamedCause {
  readonly q850: number
  readonly sip: number | undefined
}

/** `NORMAL_CLEARING`, `Normal Clearing`, `no-answer`, `ANSWERED` -> values. */
export function causeOfName(name: string): NamedCause | undefined {
  const folded = name
    .trim()
    .toUpperCase()
    .replace(/[\s-]+/g, '_')
  const special = freeSwitchNames[folded]
  if (special !== undefined) return { q850: special.q850, sip: special.sip }
  const q850 = q850Names[folded] ?? dispositions[folded]
  return q850 === undefined ? undefined : { q850, sip: undefined }
}

/** Q.850 values are 1..127. FreeSWITCH writes its own causes (487 and up) into the same field; those are not. */
export function readQ850(text: string): number | undefined {
  const digits = /^(?:0x)?[0-9a-fA-F]+$/.test(text.trim()) ? text.trim() : ''
  const value = digits.startsWith('0x') ? Number.parseInt(digits, 16) : /^\d+$/.test(digits) ? Number(digits) : 0
  return value >= 1 && value <= 127 ? value : undefined
}

/** `487`, `sip:487`, `487 Request Terminated`, `SIP/2.0 487 …` -> 487. */
export function readSip(text: string): number | undefined {
  const digits = /(?:^|[:\s])([1-6]\d\d)(?:$|\D)/.exec(text)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/**
 * Who released an attempt that was never answered, as far as the cause alone can tell: 487 is the caller's CANCEL;
 * 486, 600 and 603 are the called side's; routing and server failures are the network's. Everything else stays open.
 */
export function releaseOfCause(
  sip: number | undefined,
  q850: number | undefined,
): 'caller' | 'callee' | 'network' | undefined {
  if (sip !== undefined && sip >= 300) {
    if (sip === 487) return 'caller'
    if (sip === 486 || sip === 600 || sip === 603 || sip === 607) return 'callee'
    // 480 is anybody's, unless the switch added that nobody answered in time.
    if (sip === 480) return q850 === 19 || q850 === 20 ? 'network' : undefined
    return 'network'
  }
  if (q850 === undefined) return undefined
  if (q850 === 17 || q850 === 21) return 'callee'
  if (q850 <= 3 || q850 === 18 || q850 === 19 || q850 === 20 || q850 === 27 || q850 === 28) return 'network'
  return q850 >= 34 ? 'network' : undefined
}

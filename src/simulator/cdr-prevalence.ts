/**
 * Reads how much of the traffic each kind of campaign shall be: `flash_call=0.001,wangiri=0`. `all` comes first and
 * stands for every kind; shares are of all attempts. Its own file, so that the command line loads nothing else to know
 * it.
 */
const kinds = ['flash_call', 'wangiri', 'irsf', 'robocall', 'pbx_hack', 'cli_spoof', 'short_answer_burst'] as const

export type CampaignKind = (typeof kinds)[number]
export type Prevalence = Readonly<Partial<Record<CampaignKind, number>>>

/** Every kind of CONTRACT 6 but `anomaly`, which is nobody's campaign. */
export const campaignKinds: readonly CampaignKind[] = kinds

/** @returns the shares, or what is wrong with the text */
export function readPrevalence(text: string): Prevalence | string {
  const shares: Partial<Record<CampaignKind, number>> = {}
  for (const part of text.split(',')) {
    const [name = '', value = ''] = part.split('=').map((word) => word.trim())
    const share = Number(value)
    const named = name === 'all' ? kinds : kinds.filter((kind) => kind === name)
    if (named.length === 0) return `no kind "${name}"; there are all, ${kinds.join(', ')}.`
    if (value === '' || !(share >= 0 && share <= 1)) return `${name}: must be a share from 0 to 1.`
    for (const kind of named) shares[kind] = share
  }
  return shares
}

/** One line of the benchmark report: what was measured, beside its baseline and its budget. Any thread. */
export interface BenchmarkRow {
  name: string
  value: number
  unit: string
  baseline?: { name: string; value: number }
  budget?: { must: number; aim: number }
}

/** More pages in use than the IOMMU remembers. */
import { boardWith, boot, defineScenario, device, fio, oneOf } from './kit/index.ts';

export default defineScenario({
  name: 'iotlb-misses',
  teaches: [
    'The IOMMU remembers the translations of some pages; any other costs reads of page tables in memory.',
    'A drive that goes round more buffers than there are entries misses at almost every access.',
    'Cached tables keep a miss short while buffers are neighbours; large pages would avoid it altogether.',
  ],
  settings: { entries: 2 },
  takes: { entries: oneOf(1, 2, 4, 8) },
  board: ({ entries }) => ({ ...boardWith(device('null')), iommu: { iotlbEntries: entries } }),
  async program({ machine, seed }) {
    const text = '[read]\nrw=randread\nbs=4k\niodepth=1\nnumjobs=2\ngroup_reporting\nio_size=2m';
    const few = await fio({ machine, seed }, text);
    const many = await fio({ machine: boot(boardWith(device('null')), { seed }), seed }, text);
    return { few_entries_us: few.read!.mean_us, many_entries_us: many.read!.mean_us };
  },
  expect: {
    'with few entries each read is slower, by the page-table reads of its misses': ({
      few_entries_us,
      many_entries_us,
    }) => few_entries_us - many_entries_us > 0.08,
  },
});

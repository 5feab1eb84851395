//! Every mistake that can be planted, by what finds it: the part of the system, and what is wrong there.

use super::FaultSuite;

faults! {
in Scripts:
    /// Requests: a buffer that is not whole sectors is cut down instead of refused.
    PartialSectorAccepted,
    /// Requests: sector + count wraps around near u64::MAX and is found in range.
    BoundsWrapAround,
    /// Requests: the bound is exclusive where it must be inclusive.
    LastSectorRefused,
    /// Marker: sectors past the 64th of a request are marked in the first word.
    MarkerKeepsOneWord,
    /// Rows: the test for zeros looks at the first 64 bytes only.
    ZeroTestLooksAtHead,
    /// Rows: a write of zeros over data deletes the row, and the layer below shows.
    ZeroWriteDeletes,
    /// Rows: an unmap that has deleted data leaves it at that, and the layer below shows.
    UnmapForgets,
    /// Rows: an unmap remembers zeros only where there was nothing.
    UnmapKeepsData,
    /// Rows: a write does not replace a zeroed sector.
    WriteAfterUnmapLost,
    /// Rows: a read ends at the first zeroed sector.
    ReadStopsAtZeroed,
    /// Rows and clusters: the last sector of a longer unmap is left out.
    UnmapMissesLast,
    /// Rows: the start of an unmap is truncated to 32 bits.
    UnmapSectorTruncated,
    /// Layer: the length of an unmap is truncated to 32 bits.
    UnmapCountTruncated,
    /// Rows: a zeroed sector is filled but not marked.
    ZeroedSectorNotMarked,
    /// Rows: a zeroed sector is marked but not filled.
    ZeroedSectorNotFilled,
    /// Rows: a read stops after 128 rows.
    ReadLosesRowsAfter128,
    /// Rows: filling a cache replaces what is newer.
    FillOverwrites,
    /// Rows: filling a cache takes a zeroed sector for an absent one.
    FillCoversZeroed,
    /// RAM: forgetting sectors loses all that follow.
    RamForgetLosesTail,
    /// RAM: filling a cache takes a zeroed sector for an absent one.
    RamFillCoversZeroed,
    /// Rows: emptying a layer leaves its zeroed sectors.
    ClearKeepsZeroed,
    /// Session: a flush drops its transaction, which rolls it back.
    FlushDropsTransaction,
    /// Session: closing drops a transaction in which no bytes are counted, as after an unmap.
    CloseDropsUnmaps,
    /// Session: the new generation is in the file and not in memory.
    GenerationStaleInMemory,
    /// Session: the generation does not change before the first write.
    GenerationStays,
    /// Attach: a differencing layer does not record its parent.
    ParentNotRecorded,
    /// Parent: the generation is not compared.
    ParentGenerationIgnored,
    /// Stack: what the caller knows about a new parent is not written down.
    AdoptionForgotten,
    /// File: holes are punched in whole pages, and the edges keep their bytes.
    HolePunchedInWholePages,
    /// Stack: a layer is visible up to its own end, past a shorter one above.
    HiddenSectorsReappear,
    /// Stack: what lies past the end of the layers below is not filled.
    TailNotFilled,
    /// Stack: what no layer holds is not filled.
    AbsentNotFilled,
    /// Stack: a write that straddles the end of the lower layer does not reach it.
    StraddlingWriteHalfDone,
    /// Stack: an unmap that straddles the end of the lower layer forgets all of it.
    StraddlingUnmapForgets,
    /// Stack: a cache is filled from the start of the request, not of the run.
    CacheFilledFromRequestStart,
    /// Stack: only the first missing run of a request is put into the cache.
    CacheFillsFirstRunOnly,
    /// Stack: only the nearest of several caches is filled.
    OuterCacheNotFilled,
    /// Stack: after the first run of a split request, what the cache has is read from below.
    CacheHitLostWhenSplit,
    /// Stack: zeros are not written through.
    ZerosNotWrittenThrough,
    /// Stack: unmaps are not written through.
    UnmapNotWrittenThrough,
    /// Stack: the coming generation of a layer that is written through is not noted above.
    ComingGenerationNotNoted,
    /// Stack: a change that went past the layer above is noted there as if it had come from there.
    ForeignChangeBlessed,
    /// Stack: a change after a push leaves the generation that the pushed layer has recorded.
    PushDoesNotSeal,
    /// Stack: a read-only disk lets unmaps pass.
    ReadOnlyDiskUnmaps,
    /// Stack: a request of no sectors is refused by a read-only disk.
    ZeroLengthRefusedReadOnly,
    /// Stack: a flush reaches the top layer only.
    FlushReachesTopOnly,
    /// Commit: the coming generation of the lower layer is not noted in the top.
    CommitDoesNotNote,
    /// Commit: zeroed sectors are not copied down.
    CommitSkipsZeroes,
    /// Commit: extents of zeros are not copied down.
    CommitSkipsZeroedExtents,
    /// Commit: the last run of sectors is not copied down.
    CommitMissesLastRun,
    /// Commit: what is already in the lower layer is not overwritten.
    CommitKeepsLower,
    /// Discard: the disk keeps the size of the layer that is gone.
    DiscardKeepsSize,
    /// Rows: an unmap that begins with a zeroed sector is taken for done.
    UnmapTakenAsDone,
    /// Rows: what reads as zeros already is not forgotten.
    ForgetKeepsZeroed,
    /// RAM: a write into an unmapped run forgets the zeroed sector behind it.
    RamWriteCutsUnmappedRun,
    /// RAM: a write ends behind the first zeroed sector that it meets.
    RamWriteEndsAtZeroed,
    /// Session: emptying is not committed, and closing finds no bytes to commit.
    ClearNotCommitted,
    /// Session: a refused change has made a row for its first sector, which the next change takes back.
    RefusedChangeLingers,
    /// Session: a fill counts as the first change, and the next write leaves the generation.
    FillLiftsSeal,
    /// Session: a flush forgets the generation that was promised.
    FlushForgetsPromise,
    /// Session: the first write after a flush changes the generation again.
    FlushStartsGeneration,
    /// Adoption: only the geometry of the new parent is recorded.
    AdoptionTakesAnything,
    /// Stack: noting the coming generation keeps a present one that is out of date.
    NoteKeepsOldIdentity,
    /// Stack: a write that does not reach the next layer counts as noted there.
    HiddenWriteCountsAsNoted,
    /// Stack: the marker of a run begins with what is set in that of the run before.
    MarkerKeptBetweenRuns,
    /// Stack: there is room for two missing runs of a request.
    ThirdRunNotRead,
    /// Stack: of a split request, what an inner cache has is not kept in the outer one.
    InnerHitNotKeptWhenSplit,
    /// Stack: a read looks at four layers and no further.
    DeepLayersNotRead,
    /// Push: what is noted stays with the place in the stack, not with the layer.
    PushShiftsNotes,
    /// Push: the lowest layer is sealed instead of the next.
    PushSealsBottom,
    /// Push: the layers are sealed before it is known whether there will be another.
    RefusedPushSeals,
    /// Discard: the layer below the new top is sealed, as if the top had just been made.
    DiscardSealsBelow,
    /// Commit: the lower layer is sealed, and the top not told of its next generation.
    CommitSealsLower,
    /// Commit: the copying ends with the first zeroed run.
    CommitEndsAtZeroes,
    /// Commit: a zeroed run is copied with the bytes of the run before.
    CommitBufferNotCleared,
    /// Commit: zeroed sectors of the lower layer stay zeroed.
    CommitKeepsLowerZeroes,
    /// Clusters: the last bytes of a block are read by its number instead of its place.
    BlockTailOfItsNumber,
    /// Clusters: a write in place leaves the head as it was if no block has got a place or an end.
    HeadNotRewritten,
    /// Clusters: the places that are taken are counted, and the next one is taken for free.
    PlaceTakenTwice,
    /// Clusters: an unmapped sector of a row keeps its bytes.
    ZeroedSectorKeepsBytes,
    /// Clusters: a write into an extent of zeros leaves the extent.
    ExtentNotCarved,
    /// Clusters: a cluster that is taken out of an extent of zeros has what is written and no more.
    CarvedClusterForgets,
    /// Clusters: of two extents of zeros that touch, the first is lost.
    TouchingExtentsLoseOne,
    /// Clusters: an extent of zeros loses what lies behind the part that is taken out.
    ExtentLosesRightPart,
    /// Clusters: an unmap of whole clusters forgets the part of one at its end.
    UnmapForgetsRightEdge,
    /// Clusters: the last cluster has as many sectors as the others.
    LastClusterTakenForFull,
    /// Clusters: filling a cache takes a cluster of zeros for an absent one.
    FillCoversZeroedCluster,
    /// Clusters: a cluster that became zeros keeps its row.
    ZeroedClusterKeepsRow,
    /// Clusters: the zeros that come next are taken for those at hand.
    NextZerosTakenForThese,
    /// Clusters: emptying a layer leaves its extents of zeros.
    ClearKeepsExtents,

    /// Shortcut: SQLite's bytes at the start of each page stay where the tails of blocks belong.
    ShortcutLeavesTails,
    /// Shortcut: where a cluster lay is still known after it was changed.
    ShortcutKeepsChanged,

in PowerCuts:
    /// Gate: the seal of a transaction of several frames forgets the first.
    SealMissesFirstFrame,
    /// Shortcut: what has been committed to the log is read from the file.
    ShortcutTakesLogForFile,
    /// Session: a flush does nothing.
    FlushDoesNothing,
    /// Session: a flush with no bytes counted, as after an unmap of what was never there, is skipped.
    FlushSkippedWhenUncounted,
    /// Session: the count of what waits is cleared before the commit has succeeded, and its failure is forgotten.
    CommitFailureForgotten,
    /// Session: a flush hands its commit to the next change, and says that it is done.
    FlushHandedOver,
    /// Session: a FUA write is not committed.
    FuaNotCommitted,
    /// Session: a write is committed sector by sector.
    RequestInSeveralTransactions,
    /// Session: the new generation is only as durable as the write that follows.
    GenerationCommittedWithWrite,
    /// Clusters: a block of which a part waits is stored whole, over the sectors that it had.
    WaitingBlockTakenWhole,
    /// Clusters: filling a cache replaces what waits there.
    FillReplacesWaiting,
    /// Session: a commit leaves waiting what waits.
    CommitForgetsWaiting,
    /// Session: what is recorded of a parent is only as durable as the next write.
    ParentCommittedWithWrite,
    /// Session: that SQLite has rolled everything back by itself is not noticed.
    RollbackUnnoticed,
    /// Session: that closing could not commit is not told.
    CloseFailureUntold,
    /// Open: synchronous=OFF.
    SynchronousOff,
    /// Open: synchronous=NORMAL, which leaves the log to the next checkpoint.
    SynchronousNormal,
    /// Open: journal_mode=MEMORY instead of a log.
    JournalInMemory,
    /// Open: the log that is there is taken for a stale one and deleted.
    LogDeletedAtOpen,
    /// Open: what a dead process has left in the log is not made durable.
    LogTrustedAtOpen,
    /// Log: a page that the file has is taken for a new one, and written there before the commit.
    KnownPageTakenForNew,
    /// Log: new pages are in the file, and not synced before the commit.
    NewPagesNotSynced,
    /// Log: the sums of frames are left as they were when a page is written once more.
    SumsStayWrong,
    /// Log: what somebody left who failed to sync it is synced and not written again.
    LogNotWrittenAgain,
    /// Create: the new file is not synced before it gets its name.
    DraftNotSynced,
    /// Create: the new name is not made durable.
    DirectoryNotSynced,
    /// Push: the disk below is not flushed.
    PushDoesNotFlush,
    /// Commit: what is copied down is not durable on top yet.
    CommitCopiesUnflushed,
    /// Commit: the top is emptied before the lower layer is durable.
    CommitEmptiesTooEarly,
    /// Stack: what the lower layers say of a flush is not listened to.
    LowerFlushFailureIgnored,
    /// Stack: a write goes on to the next layer after one has failed.
    WriteThroughGoesOn,
    /// Clusters: the handle on a row is kept over a commit.
    BlobKeptOverCommit,
    /// File: a FUA write is not synced.
    FileFuaNotSynced,
    /// Session: a log that ends in a commit that failed is deleted, and a power cut takes that back.
    FailedCommitReturns,

in HostileFiles:
    /// Log: the last transaction is believed by SQLite's sum, whatever its seal says.
    SealIgnored,
    /// Open: whether the pages fit together is not looked at.
    StructureUnchecked,
    /// Open: pages that are neither in the file nor in its log read as zeros.
    LengthUnchecked,
    /// Open: pages that the file has and does not count are no matter.
    UncountedPagesIgnored,
    /// Open: sectors outside of the disk are let pass.
    SectorRangeUnchecked,
    /// Open: tables, views and triggers that do not belong are let pass.
    StrangersAllowed,
    /// Open: any columns are let pass.
    ColumnsUnchecked,
    /// Open: of several rows of metadata the first is taken.
    SecondRowIgnored,
    /// Open: a format from the future is taken for today's.
    FormatUnchecked,
    /// Open: a file that is refused has its log folded in.
    RefusedOpenCheckpoints,
    /// Open: a journal that somebody left is rolled back before the file is known to be a disk.
    JournalRolledBackUnseen,
    /// Open: of a file that was cut short, a journal is rolled back that does not have the rest.
    CutFileRolledBack,
    /// Open: a reader takes the file as it is, without its log.
    ReaderIgnoresLog,
    /// Rows: a sector of another length is served as far as it goes.
    SectorLengthUnchecked,
    /// Rows: a page that cannot be read has no sectors.
    DamageReadsAsAbsent,
    /// Session: of a change that meets damage halfway, what is done remains.
    FailedChangeKept,

in Threads:
    /// Layer and stack: filling a cache finds out what is absent, lets go of the lock, and replaces what was written
    /// there since.
    FillOvertakesWrite,
    /// Layer: a thread goes on reading from the snapshot of its first read until it writes itself.
    ReaderKeepsSnapshot,
    /// Layer: an unmap is acknowledged before it is done, and overtaken by the next write of another thread.
    UnmapOvertaken,
    /// Layer: a flush notes that nothing is left to commit after it let go of the lock, and the next one believes it,
    /// and closing.
    FlagClearedLate,
    /// Layer: a read lets go of the lock between the row and the second half of its bytes.
    RowCopiedAfterUnlock,
    /// Layer: a write lets go of the lock between its first row and the others.
    WriteInTwoSteps,
    /// Layer: who finds the session taken reads what is committed, and misses what is acknowledged and is not.
    ReaderNotToldOfPending,
    /// Stack: writes take the lock that reads share, and go through the layers in any order.
    WritesShareTheStack,
    /// Commit: the lock is let go between copying the top and emptying it.
    CommitLetsGo,

in Repeats:
    /// Session: when the log is copied into the file depends on what the process did before.
    CheckpointByTheWay,

in Oracle:
    /// Oracle: an unmap over another layer is forgotten, and the layer below is expected.
    OracleForgetsUnmap,
    /// Oracle: a layer is thought to be visible up to its own end, past a shorter one above.
    OracleIgnoresUpperSizes,
    /// Oracle: a write through is thought to stay on top.
    OracleWritesTopOnly,
    /// Oracle: filling a cache is thought to replace what is there.
    OracleFillsOver,
    /// Oracle: what a read found below is not expected in the caches.
    OracleKeepsNothing,
    /// Oracle: a read-only layer is thought to refuse what is out of its range for being read only.
    OracleRefusesInAnotherOrder,
    /// Oracle: a changed layer is thought to keep its generation.
    OracleGenerationStays,
    /// Oracle: after a power cut only the latest state is permitted.
    OracleDemandsLatest,
    /// Oracle: after a power cut a layer may be in any state that it ever had, flushed or not.
    OraclePermitsEveryState,
    /// Oracle: a FUA write is thought to promise nothing.
    OracleTakesFuaForPlain,
    /// Oracle: what a power cut leaves of a raw file is not looked at.
    OraclePermitsAnyPiece,
    /// Oracle: whether the layers after a power cut go together is not looked at.
    OraclePermitsAnyMixture,
    /// Oracle: a disk that lies over a parent it does not know after a power cut is let pass.
    OraclePermitsStrangers,
    /// Oracle: a request that had returned may take effect after one that was called later.
    OracleTakesAnyOrder,
    /// Oracle: what lies in the sectors after a history is not compared.
    OracleIgnoresTheEnd,
}

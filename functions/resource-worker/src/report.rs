//! Tells runs what has been done, and announces the end to whoever ends them.

use std::collections::HashMap;

use domain::job::JobError;
use domain::message::{IntegrationRef, SyncMessage};
use domain::{JobId, JobStatus};
use lambda::telemetry::chain;
use store::Progress;

use crate::batch::Ended;
use crate::worker::ResourceWorker;

impl ResourceWorker {
    /// Reports one integration's outcomes, once for each run. What cannot be reported stays on the queue: reported again it counts
    /// twice, which a run takes for a hint, while a report that never comes would keep it waiting.
    pub(crate) async fn report(&self, reference: &IntegrationRef, ended: &mut [Ended]) {
        let mut outcomes: HashMap<JobId, u64> = HashMap::new();
        for run in ended.iter().filter_map(|end| end.report) {
            *outcomes.entry(run.job_id).or_default() += 1;
        }
        for (job_id, count) in outcomes {
            if let Err(error) = self.report_to(reference, job_id, count).await {
                let reason = chain(&error);
                for end in ended.iter_mut().filter(|end| end.report.is_some_and(|run| run.job_id == job_id)) {
                    if end.result.is_ok() {
                        end.result = Err(JobError::retry(reason.clone()));
                    }
                }
            }
        }
    }

    async fn report_to(&self, reference: &IntegrationRef, job_id: JobId, count: u64) -> Result<(), JobError> {
        let progress = self.store.report(reference.integration_id, job_id, count, self.clock.now()).await?;
        if progress.is_some_and(|progress| is_all(&progress)) {
            let message = SyncMessage::Run { integration: reference.clone(), job_id, looks: 0 };
            self.sync_queue.send(&reference.owner, &message).await?;
        }
        Ok(())
    }
}

/// Whether everything seems to be reported; the sync-worker then looks closely.
fn is_all(progress: &Progress) -> bool {
    progress.listed && progress.reported >= progress.handed_out && progress.status == JobStatus::Running
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_announced_once_everything_that_was_handed_out_is_reported() {
        let progress = Progress { reported: 10, handed_out: 10, listed: true, status: JobStatus::Running };
        assert!(is_all(&progress));
        assert!(is_all(&Progress { reported: 12, ..progress }), "reports may count twice");
        assert!(!is_all(&Progress { reported: 9, ..progress }));
        assert!(!is_all(&Progress { listed: false, ..progress }));
        assert!(!is_all(&Progress { status: JobStatus::Completed, ..progress }));
    }
}

//! From a draft to what is planned for: secrets sealed, files those in force where they have the same content.

use std::collections::BTreeMap;

use domain::augment::{Augment, File};
use domain::ids::TenantId;
use domain::integration::{self, Setting};
use domain::plan::{self, Document, Stored};
use eventlog::crypto::Vault;
use eventlog::files::FileStore;
use eventlog::record::Error;

use super::document::Draft;
use crate::http::integrations::setting::Sealer;

/// What a draft is settled upon.
pub(crate) struct Ground<'a> {
    pub(crate) vault: &'a Vault,
    pub(crate) files: &'a FileStore,
    pub(crate) tenant: &'a TenantId,
}

impl Ground<'_> {
    /// The files that are wanted: of a content that is in force already, the one in force.
    ///
    /// # Errors
    /// The record's.
    pub(crate) async fn in_force(
        &self,
        stored: &Stored,
        draft: &Draft,
        given: &BTreeMap<String, File>,
    ) -> Result<BTreeMap<String, File>, Error> {
        let mut wanted = BTreeMap::new();
        for (handle, before) in before(stored, draft) {
            let Some(file) = given.get(&handle) else { continue };
            let same = match before {
                Some(before) if self.are_same(before, file).await? => before,
                _ => file,
            };
            wanted.insert(handle, same.clone());
        }
        Ok(wanted)
    }

    async fn are_same(&self, a: &File, b: &File) -> Result<bool, Error> {
        if (a.bytes, a.rows) != (b.bytes, b.rows) {
            return Ok(false);
        }
        let mut number = 0;
        loop {
            let piece = self.files.piece(self.tenant, &a.id, number).await?;
            if piece != self.files.piece(self.tenant, &b.id, number).await? {
                return Ok(false);
            }
            if piece.is_none() {
                return Ok(true);
            }
            number += 1;
        }
    }

    /// The draft with these files, and with its secrets sealed; those that are stored are kept.
    ///
    /// # Errors
    /// The record's.
    pub(crate) async fn settled(
        &self,
        stored: &Stored,
        draft: &Draft,
        files: &BTreeMap<String, File>,
    ) -> Result<Document<Setting>, Error> {
        let Draft(draft) = draft;
        let mut integrations = Vec::new();
        for (kind, account) in &draft.integrations {
            let known = stored.integrations.iter().find(|(known, _)| known == kind);
            let known: Option<&integration::Definition> =
                known.and_then(|(_, integration)| integration.definition.as_ref());
            let sealer = Sealer { vault: self.vault, tenant: self.tenant, stored: known };
            let name = account.name.clone();
            integrations.push((*kind, account.asked.sealed_by(&sealer, *kind, name, account.active).await?));
        }
        let mut augments = draft.augments.clone();
        for (handle, definition) in &mut augments {
            definition.file = files.get(handle.as_str()).cloned();
        }
        Ok(Document {
            key: draft.key.clone(),
            templates: draft.templates.clone(),
            augments,
            patterns: draft.patterns.clone(),
            listeners: draft.listeners.clone(),
            integrations,
        })
    }
}

/// For each augment of a draft the file that its namesake has.
pub(crate) fn before<'a>(stored: &'a Stored, draft: &Draft) -> Vec<(String, Option<&'a File>)> {
    let wanted = &draft.0.augments;
    let pairs = plan::pairs::<Augment>(&stored.augments, wanted);
    let files = pairs.into_iter().map(|pair| stored.augments[pair?].definition.as_ref()?.file.as_ref());
    wanted.iter().map(|(handle, _)| handle.clone()).zip(files).collect()
}

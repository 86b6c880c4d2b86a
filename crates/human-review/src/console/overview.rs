//! How the stack is doing.

use active_learning_aws::overview::{Overview, Places};

use super::{Console, ConsoleError, View, page::Block};

impl Console<'_> {
    pub(super) async fn overview(&self) -> Result<View, ConsoleError> {
        let places = Places {
            training: self.training,
            feedback: self.feedback,
            review: Some(self.review),
        };
        let overview = Overview::read(places, self.now).await?;
        let figures = overview.figures().into_iter();
        let figures = figures.map(|(name, value)| (name.to_owned(), value));

        let mut blocks = vec![Block::Figures(figures.collect())];
        blocks.extend(overview.missing_figures().into_iter().map(Block::text));
        blocks.extend(overview.template_problems().into_iter().map(Block::text));
        for file in &overview.refused_files {
            blocks.push(Block::text(format!("{} was refused: {}", file.key, file.reason)));
        }
        blocks.push(Block::text(
            "A + says that there is more than one page of a thousand keys, which is not counted. \
             Reviewed texts and live accuracy are as of the last look of the function that builds models, which \
             is every five minutes.",
        ));
        Ok(View {
            title: "Overview".to_owned(),
            blocks,
            json: super::to_json(&overview),
        })
    }
}

"""What one does with a trained model: write on, translate, classify, fill, tag, answer."""
